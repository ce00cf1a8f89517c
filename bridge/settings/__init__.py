"""Settings: one TOML file, and environment variables for every key (`SCORM_BRIDGE_SERVER__PORT`)."""

from __future__ import annotations

from bridge.settings.alerts import AlertCondition, AlertingSettings, AlertSettings
from bridge.settings.audit import AuditSettings, OidcSettings
from bridge.settings.limits import (
    BudgetSettings,
    LearnerBudgetSettings,
    LimitSettings,
    LmsBudgetSettings,
    RecordingBudgetSettings,
    SessionBudgetSettings,
)
from bridge.settings.loader import Settings, SettingsError, load_settings
from bridge.settings.observability import MetricsSettings, TracingSettings
from bridge.settings.proxy import HeaderName, ProxySettings
from bridge.settings.retention import RetentionSettings
from bridge.settings.sections import DatabaseSettings, LogSettings, OutgoingSettings, ServerSettings
from bridge.settings.target import FilterSettings, TargetSettings
from bridge.settings.target_form import PseudonymKeySettings

__all__ = [
    "AlertCondition",
    "AlertSettings",
    "AlertingSettings",
    "AuditSettings",
    "BudgetSettings",
    "DatabaseSettings",
    "FilterSettings",
    "HeaderName",
    "LearnerBudgetSettings",
    "LimitSettings",
    "LmsBudgetSettings",
    "LogSettings",
    "MetricsSettings",
    "OidcSettings",
    "OutgoingSettings",
    "ProxySettings",
    "PseudonymKeySettings",
    "RecordingBudgetSettings",
    "RetentionSettings",
    "ServerSettings",
    "SessionBudgetSettings",
    "Settings",
    "SettingsError",
    "TargetSettings",
    "TracingSettings",
    "load_settings",
]
