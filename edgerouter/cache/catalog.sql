-- What we know of studies. Every row can be lost: units are found again from diskcache, the rest is a miss.
CREATE TABLE study (
    id INTEGER PRIMARY KEY,
    study TEXT NOT NULL,
    upstream TEXT NOT NULL,
    last_used REAL NOT NULL,
    pinned INTEGER NOT NULL DEFAULT 0,
    study_date TEXT NOT NULL DEFAULT '',
    changed_at REAL NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    judged TEXT NOT NULL DEFAULT '',
    UNIQUE (study, upstream)
);
CREATE INDEX study_by_use ON study (pinned, last_used);

CREATE TABLE unit (
    study_id INTEGER NOT NULL,
    series TEXT NOT NULL,
    instance TEXT NOT NULL,
    kind TEXT NOT NULL,
    which TEXT NOT NULL,
    media TEXT NOT NULL,
    syntax TEXT NOT NULL,
    size INTEGER NOT NULL,
    stored_at REAL NOT NULL,
    header_at REAL NOT NULL,
    made INTEGER NOT NULL,
    PRIMARY KEY (study_id, series, instance, kind, which, media, syntax)
) WITHOUT ROWID;

CREATE TABLE metadata (
    study_id INTEGER NOT NULL,
    series TEXT NOT NULL,
    instance TEXT NOT NULL,
    row BLOB NOT NULL,
    fetched_at REAL NOT NULL,
    validator TEXT NOT NULL,
    PRIMARY KEY (study_id, series, instance)
);

CREATE TABLE listing (
    study_id INTEGER NOT NULL,
    series TEXT NOT NULL,
    complete INTEGER NOT NULL,
    fetched_at REAL NOT NULL,
    members BLOB NOT NULL,
    PRIMARY KEY (study_id, series)
);

CREATE TABLE location (
    study TEXT NOT NULL,
    series TEXT NOT NULL,
    upstream TEXT NOT NULL,
    seen_at REAL NOT NULL,
    PRIMARY KEY (study, series, upstream)
) WITHOUT ROWID;
CREATE INDEX location_by_age ON location (seen_at);

-- How many bytes of disk all this takes: whole blocks, and about a KiB for the rows of a unit.
CREATE TABLE total (bytes INTEGER NOT NULL);
INSERT INTO total VALUES (0);
CREATE TRIGGER study_weighs AFTER UPDATE OF bytes ON study BEGIN
    UPDATE total SET bytes = bytes + NEW.bytes - OLD.bytes;
END;
CREATE TRIGGER study_goes AFTER DELETE ON study BEGIN
    UPDATE total SET bytes = bytes - OLD.bytes;
END;
CREATE TRIGGER unit_comes AFTER INSERT ON unit BEGIN
    UPDATE study SET bytes = bytes + (NEW.size + 4095) / 4096 * 4096 + 1024 WHERE id = NEW.study_id;
END;
CREATE TRIGGER unit_changes AFTER UPDATE OF size ON unit BEGIN
    UPDATE study SET bytes = bytes + (NEW.size + 4095) / 4096 * 4096 - (OLD.size + 4095) / 4096 * 4096
    WHERE id = NEW.study_id;
END;
CREATE TRIGGER unit_goes AFTER DELETE ON unit BEGIN
    UPDATE study SET bytes = bytes - (OLD.size + 4095) / 4096 * 4096 - 1024 WHERE id = OLD.study_id;
END;
CREATE TRIGGER metadata_comes AFTER INSERT ON metadata BEGIN
    UPDATE study SET bytes = bytes + length(NEW.row) + 512 WHERE id = NEW.study_id;
END;
CREATE TRIGGER metadata_changes AFTER UPDATE OF row ON metadata BEGIN
    UPDATE study SET bytes = bytes + length(NEW.row) - length(OLD.row) WHERE id = NEW.study_id;
END;
CREATE TRIGGER metadata_goes AFTER DELETE ON metadata BEGIN
    UPDATE study SET bytes = bytes - length(OLD.row) - 512 WHERE id = OLD.study_id;
END;
CREATE TRIGGER listing_comes AFTER INSERT ON listing BEGIN
    UPDATE study SET bytes = bytes + length(NEW.members) + 512 WHERE id = NEW.study_id;
END;
CREATE TRIGGER listing_changes AFTER UPDATE OF members ON listing BEGIN
    UPDATE study SET bytes = bytes + length(NEW.members) - length(OLD.members) WHERE id = NEW.study_id;
END;
CREATE TRIGGER listing_goes AFTER DELETE ON listing BEGIN
    UPDATE study SET bytes = bytes - length(OLD.members) - 512 WHERE id = OLD.study_id;
END;

-- The same for each upstream, and how much of it is pinned.
CREATE TABLE weight (upstream TEXT PRIMARY KEY, bytes INTEGER NOT NULL, pinned INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER study_comes AFTER INSERT ON study BEGIN
    INSERT OR IGNORE INTO weight VALUES (NEW.upstream, 0, 0);
END;
CREATE TRIGGER study_weighs_on_its_upstream AFTER UPDATE OF bytes, pinned ON study BEGIN
    UPDATE weight SET bytes = bytes + NEW.bytes - OLD.bytes,
        pinned = pinned + NEW.bytes * NEW.pinned - OLD.bytes * OLD.pinned
    WHERE upstream = NEW.upstream;
END;
CREATE TRIGGER study_leaves_its_upstream AFTER DELETE ON study BEGIN
    UPDATE weight SET bytes = bytes - OLD.bytes, pinned = pinned - OLD.bytes * OLD.pinned
    WHERE upstream = OLD.upstream;
END;

-- What is to be kept: a study, or what a query finds; upstream '' means all of them. study.pinned follows from
-- it, as decided on the day study.judged ('' for not yet); what is learnt of a study opens the question again.
CREATE TABLE pin (
    upstream TEXT NOT NULL,
    study TEXT NOT NULL,
    query TEXT NOT NULL,
    made_at REAL NOT NULL,
    PRIMARY KEY (upstream, study, query)
) WITHOUT ROWID;
CREATE INDEX study_by_judgement ON study (judged);
CREATE TRIGGER metadata_speaks AFTER INSERT ON metadata BEGIN
    UPDATE study SET judged = '' WHERE id = NEW.study_id AND judged <> '';
END;
CREATE TRIGGER metadata_speaks_anew AFTER UPDATE OF row ON metadata BEGIN
    UPDATE study SET judged = '' WHERE id = NEW.study_id AND judged <> '';
END;
CREATE TRIGGER study_is_dated AFTER UPDATE OF study_date ON study BEGIN
    UPDATE study SET judged = '' WHERE id = NEW.id AND judged <> '';
END;
-- When a catalog, and with it the pins, was found missing; no row if none was, or pins were made since.
CREATE TABLE loss (at REAL NOT NULL);
