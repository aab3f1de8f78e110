"""The tables, a file a feature; importing this package makes `Base.metadata` whole."""

from app.db.tables.base import Base
from app.db.tables.builds import Build, BuildStatus, BuildToken, Environment
from app.db.tables.experiments import Experiment, ExperimentStatus, IdempotencyKey
from app.db.tables.heartbeats import Heartbeat
from app.db.tables.jobs import Job, JobStatus
from app.db.tables.logs import LogChunk, LogCursor, LogStream
from app.db.tables.metrics import LastMetric, Metric, MetricBatch
from app.db.tables.projects import Bookmark, CodeArchive, Project
from app.db.tables.schema_support import SchemaSupport
from app.db.tables.tensorboards import Tensorboard
from app.db.tables.usage import UsageWatch
from app.db.tables.users import LoginTry, Ticket, Token, User

__all__ = [
    "Base",
    "Bookmark",
    "Build",
    "BuildStatus",
    "BuildToken",
    "CodeArchive",
    "Environment",
    "Experiment",
    "ExperimentStatus",
    "Heartbeat",
    "IdempotencyKey",
    "Job",
    "JobStatus",
    "LastMetric",
    "LogChunk",
    "LogCursor",
    "LogStream",
    "LoginTry",
    "Metric",
    "MetricBatch",
    "Project",
    "SchemaSupport",
    "Tensorboard",
    "Ticket",
    "Token",
    "UsageWatch",
    "User",
]
