"""Which level of the information model an attribute belongs to (PS3.3 A.1.2, PS3.18 §10.6).

A search answers with, and matches, the attributes of its own level and those above it. PS3.3 has no such
table: this one follows its Patient, Study, Series and Equipment modules; all the rest is the instance's.
"""

from edgerouter.dicom.dictionary import hex_tag, tag_of
from edgerouter.dicomweb.resource import Level

_RANK = {level: rank for rank, level in enumerate(Level)}


def _tags(keywords: str) -> frozenset[str]:
    return frozenset(hex_tag(tag) for tag in map(tag_of, keywords.split()) if tag is not None)


# Beside all of group 0010, the patient's, and 0012, the clinical trial's.
_STUDY = _tags(
    """
    SpecificCharacterSet TimezoneOffsetFromUTC InstanceAvailability RetrieveURL
    StudyInstanceUID StudyID StudyDate StudyTime StudyDescription AccessionNumber
    IssuerOfAccessionNumberSequence ModalitiesInStudy SOPClassesInStudy AnatomicRegionsInStudyCodeSequence
    ReferringPhysicianName ReferringPhysicianAddress ReferringPhysicianIdentificationSequence
    ConsultingPhysicianName ConsultingPhysicianIdentificationSequence ProcedureCodeSequence
    PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence NameOfPhysiciansReadingStudy
    PhysiciansReadingStudyIdentificationSequence AdmittingDiagnosesDescription
    AdmittingDiagnosesCodeSequence ReferencedStudySequence ReferencedPatientSequence
    NumberOfPatientRelatedStudies NumberOfPatientRelatedSeries NumberOfPatientRelatedInstances
    NumberOfStudyRelatedSeries NumberOfStudyRelatedInstances RequestingPhysician RequestingService
    RequestedProcedureDescription RequestedProcedureCodeSequence ReasonForVisit ReasonForVisitCodeSequence
    AdmissionID IssuerOfAdmissionIDSequence ServiceEpisodeID ServiceEpisodeDescription
    IssuerOfServiceEpisodeIDSequence PatientState ReasonForPerformedProcedureCodeSequence
    """
)
_SERIES = _tags(
    """
    Modality SeriesInstanceUID SeriesNumber SeriesDate SeriesTime SeriesDescription
    SeriesDescriptionCodeSequence Laterality BodyPartExamined ProtocolName PatientPosition
    PerformingPhysicianName PerformingPhysicianIdentificationSequence OperatorsName
    OperatorIdentificationSequence ReferencedPerformedProcedureStepSequence RelatedSeriesSequence
    RequestAttributesSequence PerformedProcedureStepID PerformedProcedureStepStartDate
    PerformedProcedureStepStartTime PerformedProcedureStepEndDate PerformedProcedureStepEndTime
    PerformedProcedureStepDescription PerformedProtocolCodeSequence CommentsOnThePerformedProcedureStep
    FrameOfReferenceUID PositionReferenceIndicator SynchronizationFrameOfReferenceUID
    NumberOfSeriesRelatedInstances TreatmentSessionUID AnatomicalOrientationType PresentationIntentType
    ClinicalTrialSeriesID ClinicalTrialSeriesDescription
    Manufacturer InstitutionName InstitutionAddress StationName InstitutionalDepartmentName
    InstitutionalDepartmentTypeCodeSequence ManufacturerModelName DeviceSerialNumber SoftwareVersions
    GantryID UDISequence DeviceUID SpatialResolution DateOfLastCalibration TimeOfLastCalibration
    PixelPaddingValue
    """
)


def level_of(tag: str) -> Level:
    """The highest level whose results have the attribute; `tag` is 8 upper-case hexadecimal digits."""
    if tag in _SERIES:
        return Level.SERIES
    return Level.STUDY if tag in _STUDY or tag[:4] in ("0010", "0012") else Level.INSTANCE


def has(level: Level, tag: str) -> bool:
    """Whether results of that level have the attribute, theirs or of a level above."""
    return _RANK[level_of(tag)] <= _RANK[level]
