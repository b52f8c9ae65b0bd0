"""A service that acts on behalf of an actor checks permissions; routes check first, but not
alone."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import outlay.services
from outlay.domain.actor import Actor, Channel, Plan, Role, Scope
from outlay.domain.errors import NotPermitted
from outlay.domain.ids import MemberId, OrganizationId
from outlay.domain.policy import Permission, permit_one_of

ASKS: Final = {"permit", "permit_one_of", "has", "owner_of", "change"}
"""Calls that check the policy; `change` is `AuditedChanges.change`, which takes the permission."""


def _methods() -> Iterator[tuple[str, ast.FunctionDef, dict[str, ast.FunctionDef]]]:
    """Public methods of services that take an actor, by name, with all methods of their class."""
    classes = {
        node.name: node
        for file in sorted(Path(outlay.services.__file__).parent.rglob("*.py"))
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.ClassDef)
    }

    def methods_of(node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
        inherited: dict[str, ast.FunctionDef] = {}
        for base in node.bases:
            name = base.value if isinstance(base, ast.Subscript) else base
            if isinstance(name, ast.Name) and name.id in classes:
                inherited.update(methods_of(classes[name.id]))
        own = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
        return {**inherited, **own}

    for node in classes.values():
        if node.name.startswith("_"):
            continue
        own = methods_of(node)
        for name, method in own.items():
            if not name.startswith("_") and _takes_actor(method):
                yield f"{node.name}.{name}", method, own


def _takes_actor(method: ast.FunctionDef) -> bool:
    arguments = (*method.args.args, *method.args.kwonlyargs)
    return any(
        isinstance(argument.annotation, ast.Name) and argument.annotation.id == "Actor"
        for argument in arguments
    )


def _is_asking(method: ast.FunctionDef, own: dict[str, ast.FunctionDef]) -> bool:
    for node in ast.walk(method):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in ASKS:
            return True
        if isinstance(node.func, ast.Attribute):
            if node.func.attr in ASKS:
                return True
            called = own.get(node.func.attr)
            is_own = isinstance(node.func.value, ast.Name) and node.func.value.id == "self"
            if is_own and called is not None and called is not method and _is_asking(called, own):
                return True
    return False


def test_every_method_with_an_actor_asks_for_a_permission() -> None:
    found = {name: _is_asking(method, own) for name, method, own in _methods()}

    assert len(found) > 50
    assert [name for name, asks in found.items() if not asks] == []


def test_one_of_several_permissions_is_enough() -> None:
    def actor(*scopes: Scope) -> Actor:
        return Actor(
            organization_id=OrganizationId("org"),
            organization_name="Org",
            plan=Plan.ENTERPRISE,
            timezone="UTC",
            member_id=MemberId("mem"),
            role=Role.OWNER,
            scopes=frozenset(scopes),
            channel=Channel.TOKEN,
        )

    either = (Permission.PRICES_READ, Permission.PRICES_WRITE)
    permit_one_of(actor(Scope.DIRECTORY_WRITE), *either)
    permit_one_of(actor(Scope.DIRECTORY_READ), *either)

    with pytest.raises(NotPermitted, match=r"prices\. It needs the scope directory:read"):
        permit_one_of(actor(Scope.USAGE_READ), *either)
