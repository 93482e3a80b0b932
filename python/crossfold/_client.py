"""The process's connection to its cluster."""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

# gRPC would tell every lost connection on standard error; here it becomes an exception.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
# In a forked child its epoll takes a thread of the parent for the active one, and aborts.
os.environ.setdefault("GRPC_POLL_STRATEGY", "poll")

import grpc

from crossfold import _embedded
from crossfold._environment import environment
from crossfold._errors import ConnectionFailed, CrossfoldError, WorkerLost, from_rpc
from crossfold._objects import open_objects
from crossfold._session import Session
from crossfold.v1 import job_pb2 as pb
from crossfold.v1 import job_pb2_grpc

# The server waits up to 60 s for its first worker.
_HELLO_SECONDS = 75.0
_CALL_SECONDS = 10.0
# A greedy selection reads every candidate's predictions once per round.
_ENSEMBLE_SECONDS = 3600.0
_EMBEDDED_ATTEMPTS = 3

_OPTIONS = (
    ("grpc.max_send_message_length", 64 << 20),
    ("grpc.max_receive_message_length", 64 << 20),
    # Otherwise the channel of a forked child may be given its parent's connection, which fails there.
    ("grpc.use_local_subchannel_pool", 1),
)
_SOCKET_OPTIONS = (*_OPTIONS, ("grpc.default_authority", "localhost"))


@dataclass(frozen=True)
class Endpoint:
    """Where a cluster listens."""

    url: str
    target: str
    socket: Path | None = None

    @property
    def advice(self) -> str:
        """What to do when it does not answer."""
        if self.socket is None:
            return f"Check that a coordinator listens on {self.url}."
        folder = self.socket.parent
        log = f"Its log is {folder / 'log'}. " if (folder / "log").exists() else ""
        return f"{log}Run it again, or start a cluster with `crossfold up --dir {folder}`."


class Client:
    """A connection to one cluster, shared by the threads of one process.

    Attributes
    ----------
    url
        Where the cluster listens.
    version
        The coordinator's version.
    workers, slots
        How many workers had reported when the connection was made, and their slots together.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.url = endpoint.url
        self.pid = os.getpid()
        self._endpoint = endpoint
        self._closed = False
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._channel = _open_channel(endpoint)
        self._stub = job_pb2_grpc.JobsStub(self._channel)
        try:
            hello = self._stub.Hello(pb.HelloRequest(environment=environment()), timeout=_HELLO_SECONDS)
        except grpc.RpcError as error:
            self._channel.close()
            raise from_rpc(error, f"connecting to {self.url}", endpoint.advice) from error
        self.version: str = hello.version
        self.workers: int = hello.workers
        self.slots: int = max(hello.slots, 1)
        self.objects = open_objects(self._channel, hello.store_dir, same_host=endpoint.socket is not None)

    def session(self) -> Session:
        """The stream that jobs run on, opened by the first of them."""
        with self._lock:
            if self._session is None:
                self._session = Session(self._stub, self.objects, self._lost)
            return self._session

    def stats(self) -> dict[str, int]:
        """See `crossfold.stats`."""
        try:
            answer = self._stub.Stats(pb.StatsRequest(), timeout=_CALL_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc(error, f"asking {self.url} for its counts", self._endpoint.advice) from error
        serving = [worker for worker in answer.workers if not worker.refused]
        return {
            "workers": len(serving),
            "slots": sum(worker.slots for worker in serving),
            "tasks_completed": answer.tasks_completed,
            "fits_completed": answer.fits_completed,
            "calls_completed": answer.calls_completed,
            "faults": answer.faults,
            "jobs_running": answer.jobs_running,
        }

    def ensemble(self, request: pb.EnsembleRequest) -> pb.EnsembleResponse:
        """Combine the out-of-fold predictions of a job of this process.

        Raises
        ------
        InvalidJob
            The predictions can't be combined so; the message names the candidate and the value.
        """
        try:
            answer: pb.EnsembleResponse = self._stub.Ensemble(request, timeout=_ENSEMBLE_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc(error, "combining the predictions", self._endpoint.advice) from error
        return answer

    def predictions(self, request: pb.PredictionsRequest) -> pb.PredictionsResponse:
        """Gather the out-of-fold predictions of a job of this process, an object for each candidate.

        Raises
        ------
        InvalidJob
            A candidate that was named has none; the message says why.
        """
        try:
            answer: pb.PredictionsResponse = self._stub.Predictions(request, timeout=_ENSEMBLE_SECONDS)
        except grpc.RpcError as error:
            raise from_rpc(error, "gathering the predictions", self._endpoint.advice) from error
        return answer

    def is_usable(self) -> bool:
        """Whether this process may still send on the connection."""
        if self._closed or self.pid != os.getpid():
            return False
        if self._session is not None:
            return self._session.error is None
        return self._endpoint.socket is None or _embedded.accepts(self._endpoint.socket)

    def close(self) -> None:
        """Disconnect; what still runs of this process is cancelled. Closing twice is harmless."""
        with self._lock:
            if self._closed or self.pid != os.getpid():
                return
            self._closed = True
            session = self._session
        if session is not None:
            session.close()
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _lost(self, error: grpc.RpcError | None) -> CrossfoldError:
        why = f": {error.details() or error.code().name}" if error is not None else ""
        return WorkerLost(f"The cluster at {self.url} went away{why}. {self._endpoint.advice}")


_lock = threading.RLock()
_client: Client | None = None
_url: str | None = None
# Of the parent process: collecting their channels in a forked child would block.
_inherited: list[Client] = []


def connect(url: str | None = None) -> Client:
    """Connect to a cluster and make it the one that this process uses; see `crossfold.connect`."""
    global _client, _url
    with _lock:
        client = _connect(url or os.environ.get("CROSSFOLD_URL"))
        if _client is not None:
            _client.close()
        _client, _url = client, url
        return client


def is_chosen() -> bool:
    """Whether this process has said which cluster it uses, or used one."""
    return _client is not None


def default_client() -> Client:
    """The process's connection; made anew when there is none, it broke, or the process was forked."""
    with _lock:
        if _client is not None and _client.is_usable():
            return _client
        return connect(_url)


def _connect(url: str | None) -> Client:
    if url:
        client = Client(parse_url(url))
        _embedded.withdraw()
        return client
    for attempt in range(1, _EMBEDDED_ATTEMPTS + 1):
        socket = _embedded.find_or_start() / "sock"
        try:
            return Client(Endpoint(url=f"unix://{quote(str(socket))}", target=_target(socket), socket=socket))
        except ConnectionFailed:
            # It may have reached its idle time between the look and the call.
            if attempt == _EMBEDDED_ATTEMPTS or _embedded.accepts(socket):
                raise
    raise AssertionError("unreachable")


def parse_url(url: str) -> Endpoint:
    """Where a URL points.

    Raises
    ------
    ConnectionFailed
        It is not of a form that is supported.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
        socket = Path(unquote(parts.path))
        return Endpoint(url=url, target=_target(socket), socket=socket)
    if parts.scheme == "grpcs" and parts.hostname and parts.port:
        return Endpoint(url=url, target=parts.netloc)
    if parts.scheme == "grpc":
        raise ConnectionFailed(
            f"{url!r} would send code and data unencrypted to whoever answers. Start the coordinator with "
            "--tls-cert, --tls-key and --token-file, and connect with grpcs://."
        )
    raise ConnectionFailed(f"{url!r} is not a cluster's URL. Use unix:///path/to/sock or grpcs://host:port.")


def _target(socket: Path) -> str:
    return f"unix:{quote(str(socket))}"


def _open_channel(endpoint: Endpoint) -> grpc.Channel:
    if endpoint.socket is not None:
        return grpc.insecure_channel(endpoint.target, options=_SOCKET_OPTIONS)
    token = os.environ.get("CROSSFOLD_TOKEN")
    if not token:
        raise ConnectionFailed(f"{endpoint.url} needs a token: set CROSSFOLD_TOKEN to the coordinator's.")
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(root_certificates=_authority()),
        grpc.access_token_call_credentials(token),
    )
    return grpc.secure_channel(endpoint.target, credentials, options=_OPTIONS)


def _authority() -> bytes | None:
    path = os.environ.get("CROSSFOLD_CA")
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConnectionFailed(
            f"CROSSFOLD_CA={path!r} can't be read: {error.strerror}. "
            "Set it to the PEM file of the authority that signed the coordinator's certificate."
        ) from error


@atexit.register
def _close_at_exit() -> None:
    if _client is not None:
        _client.close()


def _forget_after_fork() -> None:
    # Another thread of the parent may hold the lock; neither it nor the client's threads are here.
    global _lock, _client
    _lock = threading.RLock()
    if _client is not None:
        _inherited.append(_client)
        _client = None


os.register_at_fork(after_in_child=_forget_after_fork)
