"""Response fields that every page outside the DICOMweb root carries."""

NO_STORE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
