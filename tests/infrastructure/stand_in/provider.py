"""A stand-in for the Terraform provider ``hashicorp/aws``, for machines that reach no Terraform registry.

It speaks Terraform's plugin protocol 6 with the generated messages of PyPI's ``tf`` and follows
``schema.json``, so real Terraform checks every argument, block, type and required field against the real
provider's schema. It creates nothing: ``aws.py`` says what AWS would answer. Terraform starts it through
the mirror that ``workshop.py`` lays out.
"""

from __future__ import annotations

import json
import signal
import traceback
from pathlib import Path

import aws
import msgpack
import tf.provider
import tf.runner
import values
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

SCHEMA = json.loads(Path(__file__).with_name("schema.json").read_text())
_CAPABILITIES = pb.ServerCapabilities(plan_destroy=True, get_provider_schema_optional=True)
_FLAGS = ("required", "optional", "computed")


def unpacked(message):
    """Return the Python value of a protocol message."""
    if message.msgpack:
        return msgpack.unpackb(message.msgpack, strict_map_key=False)
    return json.loads(message.json) if message.json else None


def packed(value):
    """Return the protocol message of a Python value."""
    return pb.DynamicValue(msgpack=msgpack.packb(value))


def _attribute(name, attribute):
    fields = {flag: True for flag in _FLAGS if attribute.get(flag)}
    if nested := attribute.get("nested_type"):
        mode = pb.Schema.Object.NestingMode.Value(nested["nesting_mode"].upper())
        inner = [_attribute(key, value) for key, value in sorted(nested["attributes"].items())]
        return pb.Schema.Attribute(
            name=name, nested_type=pb.Schema.Object(nesting=mode, attributes=inner), **fields
        )
    return pb.Schema.Attribute(name=name, type=json.dumps(attribute["type"]).encode(), **fields)


def _block(block):
    nested = [
        pb.Schema.NestedBlock(
            type_name=name,
            block=_block(one["block"]),
            nesting=pb.Schema.NestedBlock.NestingMode.Value(one["nesting_mode"].upper()),
            min_items=one.get("min_items", 0),
            max_items=one.get("max_items", 0),
        )
        for name, one in sorted(block["block_types"].items())
    ]
    attributes = [_attribute(name, one) for name, one in sorted(block["attributes"].items())]
    return pb.Schema.Block(attributes=attributes, block_types=nested)


def _schema(one):
    return pb.Schema(version=0, block=_block(one["block"]))


def _error(summary):
    # The end of it: the last line of a traceback says what happened.
    return [pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=summary[-2000:])]


class StandIn(rpc.ProviderServicer):
    """The calls that Terraform makes, in the order in which it makes them."""

    def __init__(self, _app=None):
        self.resources = SCHEMA["resource_schemas"]
        self.data_sources = SCHEMA["data_source_schemas"]

    def GetMetadata(self, _request, _context):  # noqa: N802 -- the protocol's names
        return pb.GetMetadata.Response(
            server_capabilities=_CAPABILITIES,
            resources=[pb.GetMetadata.ResourceMetadata(type_name=name) for name in self.resources],
            data_sources=[pb.GetMetadata.DataSourceMetadata(type_name=name) for name in self.data_sources],
        )

    def GetProviderSchema(self, _request, _context):  # noqa: N802 -- the protocol's names
        return pb.GetProviderSchema.Response(
            provider=_schema(SCHEMA["provider"]),
            resource_schemas={name: _schema(one) for name, one in self.resources.items()},
            data_source_schemas={name: _schema(one) for name, one in self.data_sources.items()},
            server_capabilities=_CAPABILITIES,
        )

    def ValidateProviderConfig(self, _request, _context):  # noqa: N802 -- the protocol's names
        return pb.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request, _context):  # noqa: N802 -- the protocol's names
        return pb.ConfigureProvider.Response(
            diagnostics=[one for text in aws.refusals(unpacked(request.config)) for one in _error(text)]
        )

    def ValidateResourceConfig(self, request, _context):  # noqa: N802 -- the protocol's names
        found = values.read_only(self.resources[request.type_name]["block"], unpacked(request.config))
        return pb.ValidateResourceConfig.Response(diagnostics=[one for text in found for one in _error(text)])

    def ValidateDataResourceConfig(self, request, _context):  # noqa: N802 -- the protocol's names
        found = values.read_only(self.data_sources[request.type_name]["block"], unpacked(request.config))
        return pb.ValidateDataResourceConfig.Response(
            diagnostics=[one for text in found for one in _error(text)]
        )

    def UpgradeResourceState(self, request, _context):  # noqa: N802 -- the protocol's names
        state = json.loads(request.raw_state.json)
        return pb.UpgradeResourceState.Response(upgraded_state=packed(state))

    def PlanResourceChange(self, request, _context):  # noqa: N802 -- the protocol's names
        prior, new = unpacked(request.prior_state), unpacked(request.proposed_new_state)
        if new is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        plan = values.planned(self.resources[request.type_name]["block"], new, prior)
        changed = [
            name for name in aws.identity(request.type_name) if prior and prior.get(name) != plan.get(name)
        ]
        return pb.PlanResourceChange.Response(
            planned_state=packed(plan),
            requires_replace=[
                pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name)]) for name in changed
            ],
            legacy_type_system=True,
        )

    def ApplyResourceChange(self, request, _context):  # noqa: N802 -- the protocol's names
        prior, plan = unpacked(request.prior_state), unpacked(request.planned_state)
        block = self.resources[request.type_name]["block"]
        try:
            new = values.settled(block, aws.applied(request.type_name, prior, plan), request.type_name)
        except Exception:  # noqa: BLE001 -- told to Terraform, which reports it and keeps the prior state
            return pb.ApplyResourceChange.Response(
                new_state=request.prior_state,
                legacy_type_system=True,
                diagnostics=_error(f"{request.type_name}: {traceback.format_exc()}"),
            )
        return pb.ApplyResourceChange.Response(new_state=packed(new), legacy_type_system=True)

    def ReadResource(self, request, _context):  # noqa: N802 -- the protocol's names
        state = aws.read(request.type_name, unpacked(request.current_state))
        return pb.ReadResource.Response(new_state=packed(state))

    def ReadDataSource(self, request, _context):  # noqa: N802 -- the protocol's names
        block = self.data_sources[request.type_name]["block"]
        config = unpacked(request.config)
        answer = {**config, **aws.looked_up(request.type_name, config)}
        state = values.settled(block, values.planned(block, answer, None), request.type_name)
        return pb.ReadDataSource.Response(state=packed(state))

    def ImportResourceState(self, _request, _context):  # noqa: N802 -- the protocol's names
        return pb.ImportResourceState.Response(diagnostics=_error("the stand-in imports nothing"))

    def StopProvider(self, _request, _context):  # noqa: N802 -- the protocol's names
        return pb.StopProvider.Response()

    def GetFunctions(self, _request, _context):  # noqa: N802 -- the protocol's names
        return pb.GetFunctions.Response()


class GoesOn(tf.runner._ShutdownInterceptor):
    """Finishes what it does when it is told to stop, as every provider; the runner would cut it off."""

    def intercept_service(self, continuation, handler_call_details):
        if handler_call_details.method.endswith("/StopProvider"):
            return continuation(handler_call_details)
        return super().intercept_service(continuation, handler_call_details)


def main():
    """Serve until Terraform says that it is enough."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as every provider: Terraform says when to stop
    tf.provider.ProviderServicer = StandIn  # the runner looks this name up when it is called
    tf.runner._ShutdownInterceptor = GoesOn
    tf.runner.run_provider(None)


if __name__ == "__main__":
    main()
