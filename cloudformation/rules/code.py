# SPDX-License-Identifier: GPL-2.0-only
"""Programs inside templates."""
import ast
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
import _resolve  # noqa: E402  pylint: disable=wrong-import-position


def programs(view):
    """Inline Python of functions: properties, path, text."""
    for _, properties, path, given in view.resources("AWS::Lambda::Function"):
        for found in view.get(properties, path, "Code", "ZipFile", given=given):
            for runtime in view.get(properties, path, "Runtime", given=found.given):
                if found.text and (runtime.text or "").startswith("python"):
                    yield properties, path, found


@_resolve.rule(9760, "Inline Python is Python", "Lambda finds a syntax error when the function is called.")
def syntax(view):
    for _, _, found in programs(view):
        try:
            ast.parse(found.text)
        except SyntaxError as error:
            yield found.path, f"line {error.lineno}: {error.msg}: {(error.text or '').strip()}"


@_resolve.rule(9761, "A handler of inline Python is there",
               "Inline code is the module index; a handler of another name fails at the first call.")
def handler(view):
    for properties, path, found in programs(view):
        try:
            names = {node.name for node in ast.parse(found.text).body if isinstance(node, ast.FunctionDef)}
        except SyntaxError:
            continue
        for said in view.get(properties, path, "Handler", given=found.given):
            module, _, name = (said.text or "").rpartition(".")
            if said.text and (module != "index" or name not in names):
                yield said.path, f"inline code has no {said.text}; it has {', '.join('index.' + one for one in sorted(names))}"


@_resolve.rule(9762, "User data fits", "EC2 takes 16,384 bytes before they are encoded.")
def user_data(view):
    for _, properties, path, given in view.resources("AWS::EC2::LaunchTemplate"):
        for found in view.get(properties, path, "LaunchTemplateData", "UserData", "Fn::Base64", given=given):
            if found.text and len(found.text.encode()) > 16384:
                yield found.path, f"user data of {len(found.text.encode())} bytes: shorten it, or fetch a part"
            if found.text and not found.text.startswith(("#!", "#cloud-config", "Content-Type", "MIME-Version", "#include", "<")):
                yield found.path, "cloud-init does not know what this is: begin with #!/bin/bash"


@_resolve.rule(9763, "A function that an event rule calls lets it", "Without a permission the rule matches, and nothing is called.")
def permissions(view):
    allowed = {found.resource for _, properties, path, given in view.resources("AWS::Lambda::Permission")
               for found in view.get(properties, path, "FunctionName", given=given)}
    for name, properties, path, given in view.resources("AWS::Events::Rule"):
        for target in view.items(properties, path, "Targets", given=given):
            for arn in view.get(target.value, target.path, "Arn", given=target.given):
                if arn.resource and view.resource(arn.resource, "AWS::Lambda::Function") and arn.resource not in allowed:
                    yield arn.path, f"{name} may not call {arn.resource}: add an AWS::Lambda::Permission for events.amazonaws.com"
