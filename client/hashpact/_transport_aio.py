"""Making the calls of an operation over grpc.aio: deadlines, repeats, several in flight. Twin of ``_transport``."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from hashpact._channel import Endpoint
from hashpact._errors import from_rpc_error
from hashpact._retry import pause_before_retry_s
from hashpact._transport import closed, require_positive
from hashpact._wire import AnyCall, Method, Operation, Response, Result, Work
from hashpact.errors import HashpactError


class AsyncTransport:
    """A channel that is opened by the first call, in the event loop that makes it.

    Args:
        endpoint: where the service is.
        timeout_s: deadline of each call, repeats included.
        calls_in_flight_max: calls of one operation made at the same time.
    """

    def __init__(self, endpoint: Endpoint, timeout_s: float, calls_in_flight_max: int) -> None:
        require_positive(timeout_s, calls_in_flight_max)
        self.target = endpoint.target
        self._endpoint = endpoint
        self._timeout_s = timeout_s
        self._in_flight_max = calls_in_flight_max
        self._channels: dict[Endpoint, grpc.aio.Channel] = {}
        self._stubs: dict[str, Any] = {}
        self._closed = False

    async def run(self, operation: Operation[Result]) -> Result:
        """Make the calls that an operation asks for, until it has its result."""
        try:
            step = next(operation)
            while True:
                made: Any
                try:
                    if isinstance(step, Work):
                        made = await asyncio.to_thread(step.function)
                    else:
                        made = await self._make(step)
                except HashpactError as error:
                    step = operation.throw(error)
                else:
                    step = operation.send(made)
        except StopIteration as done:
            result: Result = done.value
            return result

    async def _make(self, calls: Sequence[AnyCall]) -> list[Message]:
        if len(calls) == 1:
            return [await self._call(calls[0])]
        gate = asyncio.Semaphore(self._in_flight_max)

        async def one(call: AnyCall) -> Message:
            async with gate:
                return await self._call(call)

        tasks = [asyncio.ensure_future(one(call)) for call in calls]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def _call(self, call: AnyCall) -> Message:
        """Make one call; again where that is safe and helps."""
        until = time.monotonic() + self._timeout_s
        attempt = 1
        while True:
            left_s = max(until - time.monotonic(), 0)
            stub = self._stub(call.method)
            try:
                answer: Message = await stub(call.request, timeout=left_s, metadata=self._endpoint.metadata)
            except grpc.aio.AioRpcError as failed:
                error = from_rpc_error(failed, self._endpoint.of(call.method).target)
                left_s = until - time.monotonic()
                pause_s = pause_before_retry_s(error, call, attempt, left_s, random.random())  # noqa: S311  # jitter
                if pause_s is None:
                    raise error from failed
                await asyncio.sleep(pause_s)
            except grpc.aio.UsageError as failed:  # another task closed the channel this moment
                raise closed() from failed
            except asyncio.CancelledError as failed:
                task = asyncio.current_task()
                if self._closed and task is not None and not task.cancelling():
                    raise closed() from failed  # not this task was cancelled: the channel was closed under it
                raise
            else:
                return answer
            attempt += 1

    async def stream(self, method: Method[Response], request: Message) -> AsyncGenerator[Response, None]:
        """Make a call whose answers have no end, once; it ends with the iterator."""
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
            call = stub(request, metadata=self._endpoint.metadata)
            async for message in call:
                yield message
        except grpc.aio.AioRpcError as failed:
            raise from_rpc_error(failed, place.target) from failed
        except grpc.aio.UsageError as failed:  # another task closed the channel this moment
            raise closed() from failed
        except asyncio.CancelledError as failed:
            task = asyncio.current_task()
            if self._closed and task is not None and not task.cancelling():
                raise closed() from failed  # not this task was cancelled: the channel was closed under it
            raise
        finally:
            if call is not None:
                call.cancel()

    def _stub(self, method: Method[Any]) -> Any:
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
            self._channels[place] = place.open_async()
        return self._channels[place]

    async def close(self) -> None:
        """Close the channel; calls in flight fail. Closing twice is fine."""
        self._closed = True
        channels, self._channels = self._channels, {}
        self._stubs.clear()
        for channel in channels.values():
            await channel.close(None)
