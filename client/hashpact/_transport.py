"""Making the calls of an operation over gRPC: deadlines, repeats, several in flight. Twin of ``_transport_aio``."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

import grpc
from google.protobuf.message import Message

from hashpact._channel import Endpoint
from hashpact._errors import from_rpc_error
from hashpact._retry import pause_before_retry_s
from hashpact._wire import AnyCall, Method, Operation, Response, Result, Work
from hashpact.errors import ConfigError, HashpactError


def require_positive(timeout_s: float, calls_in_flight_max: int) -> None:
    """Check the two numbers of a transport.

    Raises:
        ConfigError: one of them is not positive.
    """
    if not timeout_s > 0:
        raise ConfigError("timeout_s is a positive number of seconds")
    if calls_in_flight_max < 1:
        raise ConfigError("calls_in_flight_max is 1 or more")


def closed() -> ConfigError:
    """What a call on a closed client raises."""
    return ConfigError("this client is closed: make a new one", reason="CLIENT_CLOSED")


class Transport:
    """Channels that are opened by the first call. Safe to share between threads.

    Args:
        endpoint: where the service is.
        timeout_s: deadline of each call, repeats included.
        calls_in_flight_max: calls of one operation made at the same time.
    """

    def __init__(self, endpoint: Endpoint, timeout_s: float, calls_in_flight_max: int) -> None:
        require_positive(timeout_s, calls_in_flight_max)
        self.target = endpoint.target
        self._endpoint = endpoint
        self._metadata = endpoint.metadata
        self._timeout_s = timeout_s
        self._in_flight_max = calls_in_flight_max
        self._lock = Lock()
        self._channels: dict[Endpoint, grpc.Channel] = {}
        self._stubs: dict[str, Any] = {}
        self._closed = False

    def run(self, operation: Operation[Result]) -> Result:
        """Make the calls that an operation asks for, until it has its result."""
        try:
            step = next(operation)
            while True:
                try:
                    made = step.function() if isinstance(step, Work) else self._make(step)
                except HashpactError as error:
                    step = operation.throw(error)
                else:
                    step = operation.send(made)
        except StopIteration as done:
            result: Result = done.value
            return result

    def _make(self, calls: Sequence[AnyCall]) -> list[Message]:
        if len(calls) == 1:
            return [self._call(calls[0], self._deadline())]
        responses: list[Message] = []
        flying: deque[tuple[AnyCall, float, Any]] = deque()
        waiting = deque(calls)
        try:
            while waiting or flying:
                while waiting and len(flying) < self._in_flight_max:
                    call, until = waiting.popleft(), self._deadline()
                    flying.append((call, until, self._start(call, until)))
                call, until, future = flying.popleft()
                responses.append(self._call(call, until, future))
        finally:
            for _, _, future in flying:
                future.cancel()
        return responses

    def stream(self, method: Method[Response], request: Message) -> Iterator[Response]:
        """Make a call whose answers have no end, once; it ends with the iterator."""
        with self._lock:
            if self._closed:
                raise closed()
            place = self._endpoint.of(method)
            stub = self._channel_to(place).unary_stream(
                method.path,
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=method.response.FromString,
            )
        call: Any = None
        try:
            call = stub(request, metadata=self._metadata)
            yield from call
        except grpc.RpcError as failed:
            if self._closed:
                raise closed() from failed
            raise from_rpc_error(call, place.target) from failed
        except ValueError as failed:  # another thread closed the channel this moment
            raise closed() from failed
        finally:
            if call is not None:
                call.cancel()

    def _deadline(self) -> float:
        return time.monotonic() + self._timeout_s

    def _start(self, call: AnyCall, until: float) -> Any:
        left_s = max(until - time.monotonic(), 0)
        stub = self._stub(call.method)
        try:
            return stub.future(call.request, timeout=left_s, metadata=self._metadata)
        except ValueError as failed:  # another thread closed the channel this moment
            raise closed() from failed

    def _ask(self, call: AnyCall, until: float) -> Message:
        """Make one call in this thread, once.

        A call that is started and then waited for costs gRPC a thread of its own, and a third more time.
        """
        stub = self._stub(call.method)
        try:
            answer: Message = stub(call.request, timeout=max(until - time.monotonic(), 0), metadata=self._metadata)
        except ValueError as failed:  # another thread closed the channel this moment
            raise closed() from failed
        return answer

    def _call(self, call: AnyCall, until: float, started: Any = None) -> Message:
        """Make one call, or wait for one that was started; again where that is safe and helps."""
        attempt = 1
        while True:
            try:
                answer: Message = started.result() if started else self._ask(call, until)
            except grpc.RpcError as failed:
                if self._closed:
                    raise closed() from failed
                error = from_rpc_error(failed, self._endpoint.of(call.method).target)
                left_s = until - time.monotonic()
                pause_s = pause_before_retry_s(error, call, attempt, left_s, random.random())  # noqa: S311  # jitter
                if pause_s is None:
                    raise error from failed
                time.sleep(pause_s)
            except BaseException:  # Ctrl-C while waiting: the server need not finish what nobody reads
                if started:
                    started.cancel()
                raise
            else:
                return answer
            started = None
            attempt += 1

    def _stub(self, method: Method[Any]) -> Any:
        with self._lock:
            if self._closed:
                raise closed()
            stub = self._stubs.get(method.path)
            if stub is None:
                stub = self._stubs[method.path] = self._channel_to(self._endpoint.of(method)).unary_unary(
                    method.path,
                    request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=method.response.FromString,
                )
            return stub

    def _channel_to(self, place: Endpoint) -> Any:
        if place not in self._channels:
            self._channels[place] = place.open()
        return self._channels[place]

    def close(self) -> None:
        """Close the channels; calls in flight fail. Closing twice is fine."""
        with self._lock:
            self._closed = True
            channels, self._channels = self._channels, {}
            self._stubs.clear()
        for channel in channels.values():
            channel.close()
