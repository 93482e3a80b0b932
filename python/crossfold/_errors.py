"""The exceptions of Crossfold, and the one table from gRPC statuses to them.

CrossfoldError
├── ConnectionFailed         no cluster could be reached or started
│   └── BinaryNotFound       the crossfold program is not installed
├── EnvironmentMismatch      the workers run versions whose results could differ
├── InvalidJob               the cluster refused what was submitted
├── PolicyError              a policy was refused, failed or answered what can't be used
├── PicklingError            something can't travel to the workers; also a pickle.PicklingError
└── JobFailed                the job could not be finished
    ├── WorkerLost           the cluster went away while the job ran
    ├── PoisonFitError       a fit or call killed its process on every attempt
    ├── FitTimeout           a fit took longer than its fit_timeout
    ├── FitMemoryExceeded    a fit took more memory than its fit_memory
    ├── NothingFinished      a search ended by its budget before a candidate had all its fits
    └── RemoteError          a fit or call raised what can't be rebuilt in this process

PartialSearchWarning         a search ended before all of its fits were run; a UserWarning
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc


class CrossfoldError(Exception):
    """Base of everything that Crossfold itself raises."""


class ConnectionFailed(CrossfoldError):
    """No cluster could be reached or started."""


class BinaryNotFound(ConnectionFailed):
    """The crossfold program is not installed."""


class EnvironmentMismatch(CrossfoldError):
    """The workers run another Python, or packages of other versions, than this process."""


class InvalidJob(CrossfoldError):
    """The cluster refused what was submitted."""


class PolicyError(CrossfoldError):
    """A policy was refused, failed, reached a limit or answered what can't be used."""


class PicklingError(CrossfoldError, pickle.PicklingError):
    """Something can't travel to the workers; the message names the attribute at fault."""


class JobFailed(CrossfoldError):
    """The job could not be finished."""


class WorkerLost(JobFailed):
    """The cluster went away while the job ran."""


class PoisonFitError(JobFailed):
    """A fit or call killed its process on every attempt."""


class FitTimeout(JobFailed):
    """A fit took longer than its fit_timeout and was killed."""


class FitMemoryExceeded(JobFailed):
    """A fit took more memory than its fit_memory and was killed."""


class NothingFinished(JobFailed):
    """A search ended by its budget before one candidate had all of its fits."""


class PartialSearchWarning(UserWarning):
    """A search ended before all of its fits were run; those score NaN."""


class RemoteError(JobFailed):
    """A fit or call raised an exception that can't be rebuilt in this process.

    The message starts with the name of the exception's class; the remote traceback is the cause.
    """


# google.rpc code numbers, so that statuses and JobState.error_code share one table.
_BY_CODE: dict[int, type[CrossfoldError]] = {
    3: InvalidJob,  # INVALID_ARGUMENT
    4: ConnectionFailed,  # DEADLINE_EXCEEDED
    5: InvalidJob,  # NOT_FOUND
    7: ConnectionFailed,  # PERMISSION_DENIED
    9: EnvironmentMismatch,  # FAILED_PRECONDITION
    11: InvalidJob,  # OUT_OF_RANGE
    14: ConnectionFailed,  # UNAVAILABLE
    16: ConnectionFailed,  # UNAUTHENTICATED
}


def from_code(code: int, message: str) -> CrossfoldError:
    """The exception for a google.rpc code number; JobFailed for the codes that have no own one."""
    return _BY_CODE.get(code, JobFailed)(message)


def from_rpc(error: grpc.RpcError, doing: str, next_step: str) -> CrossfoldError:
    """The exception for a failed call. The server's own words already name what to do next; a
    connection that failed has none, so `next_step` is added to it."""
    code, details = error.code().value[0], error.details() or error.code().name
    raised = from_code(code, f"{doing}: {details}")
    if isinstance(raised, ConnectionFailed):
        raised = ConnectionFailed(f"{doing}: {details.rstrip('.')}. {next_step}")
    return raised
