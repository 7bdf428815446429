# SPDX-License-Identifier: GPL-2.0-only
"""Rights: no wildcard that can be done without."""
import os
import re
import sys

from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource

sys.path.insert(0, os.path.dirname(__file__))
import _resolve  # noqa: E402  pylint: disable=wrong-import-position

SERVICES = load_resource(AdditionalSpecs, "Policies.json")  # cfn-lint's own list of actions, and what they can be limited to


def statements(view):
    """Every statement of a policy that IAM attaches."""
    for _, properties, path, given in view.resources("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"):
        for policy in view.items(properties, path, "Policies", given=given):
            yield from view.items(policy.value, policy.path, "PolicyDocument", "Statement", given=policy.given)
    for _, properties, path, given in view.resources("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        yield from view.items(properties, path, "PolicyDocument", "Statement", given=given)


def limits(action):
    """The kinds of resources to which an action can be limited."""
    service, _, name = action.partition(":")
    return SERVICES.get(service.lower(), {}).get("Actions", {}).get(name.lower(), {}).get("Resources") or []


@_resolve.rule(9750, "An action is named", "A wildcard grants what the service learns to do later.")
def actions(view):
    for statement in statements(view):
        for found in view.items(statement.value, statement.path, "Action", given=statement.given):
            if found.text and "*" in found.text and statement.value.get("Effect") == "Allow":
                yield found.path, f"{found.text} grants more than is used: name the actions"


@_resolve.rule(9751, "An action that can be limited to resources is",
               "With Resource: '*' the instance or function may do it to everything in the account.")
def resources(view):
    for statement in statements(view):
        if not isinstance(statement.value, dict) or statement.value.get("Effect") != "Allow":
            continue
        named = [found.text for found in view.items(statement.value, statement.path, "Action", given=statement.given)]
        for found in view.items(statement.value, statement.path, "Resource", given=statement.given):
            for action in named:
                if found.text == "*" and action and limits(action):
                    yield found.path, f"{action} can be limited to {', '.join(limits(action)[:3])}: name them"


@_resolve.rule(9752, "A role is assumed by whom it is for", "A principal * lets every account assume the role.")
def principals(view):
    for _, properties, path, given in view.resources("AWS::IAM::Role"):
        for statement in view.items(properties, path, "AssumeRolePolicyDocument", "Statement", given=given):
            for key in ("AWS", None):
                keys = ("Principal", key) if key else ("Principal",)
                for found in view.items(statement.value, statement.path, *keys, given=statement.given):
                    if found.text == "*":
                        yield found.path, "every account may assume this role: name the service"


@_resolve.rule(9753, "A service may call a function only for a resource of yours",
               "Without SourceArn or SourceAccount, anybody's rule or topic of that service has the function called.")
def deputies(view):
    for name, properties, path, given in view.resources("AWS::Lambda::Permission"):
        for caller in view.get(properties, path, "Principal", given=given):
            limits_of = [found for key in ("SourceArn", "SourceAccount") for found in view.get(properties, path, key, given=caller.given)]
            if caller.text == "*" or (caller.text or "").endswith(".amazonaws.com") and all(found.absent for found in limits_of):
                yield caller.path, f"{name}: {caller.text} calls for whoever asks it: say SourceArn"


@_resolve.rule(9754, "What is allowed is named, not what is not", "NotAction and NotResource grant all that they do not name.")
def negations(view):
    for statement in statements(view):
        for key in ("NotAction", "NotResource") if isinstance(statement.value, dict) and statement.value.get("Effect") == "Allow" else ():
            if key in statement.value:
                yield statement.path + [key], f"{key} with Allow grants everything else: name {key[3:]}"


@_resolve.rule(9755, "A role has no managed policy that grants a whole service",
               "AdministratorAccess and its kin grant what neither an appliance nor a function uses.")
def managed(view):
    for name, properties, path, given in view.resources("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group"):
        for found in view.items(properties, path, "ManagedPolicyArns", given=given):
            if re.search(r"/(AdministratorAccess|PowerUserAccess|IAMFullAccess|\w*FullAccess)$", found.text or ""):
                yield found.path, f"{name}: {found.text.rpartition('/')[2]} grants more than is used: name the actions in Policies"
