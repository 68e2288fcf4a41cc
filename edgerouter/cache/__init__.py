"""The cache: what passed by is kept as units on disk, with a catalog of what is known about studies.

States of a unit. A unit exists when its diskcache row and its file agree; nothing else is believed.

| state | where it is | owner | recovery | test |
|---|---|---|---|---|
| filling | part file, row nowhere | its fill | swept at the next start | `test_part_files_of_a_dead_process_are_swept_at_start` |
| adopted, no row | unit file only | `Shelf.adopt` on the desk | a miss; the file is swept at the next start | `test_a_file_without_a_row_is_swept` |
| row, not in the catalog | file and row | `Sweep` | told to the catalog after the start | `test_a_lost_catalog_is_rebuilt_from_the_keys` |
| held | file, row, catalog | `Units` | – | `test_a_unit_survives_a_restart` |
| held and read, or found a moment ago | the same, file open | `Readers` | not evicted; a purge waits; if removed all the same, read to its end | `test_a_purged_unit_is_read_to_its_end` |
| leaving | the same, its study being evicted or purged | `Readers` | a miss | `test_what_is_being_taken_out_is_a_miss` |
| in the catalog, no row | catalog | `Sweep` | a miss; forgotten after the start | `test_a_catalog_entry_without_a_row_is_swept` |
| damaged: missing, cut, altered, linked, not ours | row, and file or not | `Units`, `Sweep` | a miss or a cut; removed and counted, after a start also before anybody asks if file or size are missing | `test_damage_is_a_miss_and_is_removed`, `test_rows_that_lost_their_file_or_its_bytes_are_swept_and_counted` |
| evicted or purged | nowhere | `Removal` | – | `test_eviction_takes_the_least_recently_used_study` |

States of a fill. A fill is a task of the app; a reader never owns one.

| state | meaning | owner | recovery | test |
|---|---|---|---|---|
| waiting | asked, no head yet; readers join | `Fills` | no reader left: given up | `test_a_fill_nobody_waits_for_is_given_up` |
| streaming | parts arrive and are kept; readers join, follow from disk and memory | `Fill` | last reader gone: the unit more than half here is finished, then given up | `test_a_unit_more_than_half_here_is_finished` |
| passing | may not, or cannot, be kept; present readers share a window that paces the writer, nobody joins | `Fill` | last reader gone: given up; the key is not shared for a minute if keeping was refused | `test_a_passing_fill_is_paced_by_its_slowest_reader` |
| finished | whole; leaves the table when its units are in | `Fill` | last reader gone: what is no unit is deleted | `test_a_finished_fill_leaves_nothing_behind` |
| failed | broke off or was given up; whole parts stay units, readers see a cut | `Fill` | the next request begins anew | `test_a_fill_that_breaks_is_cut_for_all_and_keeps_whole_parts` |
"""  # noqa: E501
