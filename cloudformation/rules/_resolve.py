# SPDX-License-Identifier: GPL-2.0-only
"""What a value of a template may become: every branch of `Fn::If`, every value that a parameter admits.

Each possibility comes with the path where it is written and with what it supposes, {name: value}: of a condition True or
False, of a parameter its value. Two that suppose different things are never there together.
"""
import itertools
import re

from cfnlint.rules import CloudFormationLintRule, RuleMatch

ASG, TARGETS = "AWS::AutoScaling::AutoScalingGroup", "AWS::ElasticLoadBalancingV2::TargetGroup"
ABSENT = type("Absent", (), {"__repr__": lambda self: "absent"})()
UNKNOWN = type("Unknown", (), {"__repr__": lambda self: "unknown"})()
MOST = 200  # possibilities of one value that are looked at


class Possible:
    """One possibility: value, path, what it supposes."""

    def __init__(self, value, path, given):
        self.value, self.path, self.given = value, path, given

    def __repr__(self):
        return f"{self.value!r} at {self.path} given {self.given}"

    @property
    def number(self):
        try:
            return int(str(self.value))
        except ValueError:
            return None

    @property
    def text(self):
        """As text if it is known: true and 80 are "true" and "80"."""
        if isinstance(self.value, bool):
            return str(self.value).lower()
        return str(self.value) if isinstance(self.value, (str, int, float)) else None

    @property
    def absent(self):
        return self.value is ABSENT

    @property
    def resource(self):
        """The resource that it refers to, if it does."""
        if isinstance(self.value, dict) and len(self.value) == 1:
            (function, argument), = self.value.items()
            if function == "Ref":
                return argument
            if function == "Fn::GetAtt":
                return argument.split(".")[0] if isinstance(argument, str) else argument[0]
        return None


class View:
    """A template, resolved."""

    def __init__(self, cfn):
        self.cfn = cfn
        self.parameters = cfn.template.get("Parameters") or {}
        self.mappings = cfn.template.get("Mappings") or {}
        self.conditions = cfn.template.get("Conditions") or {}

    def together(self, *givens):
        """What all of them suppose, or None if they cannot be there together."""
        union = {}
        for given in givens:
            for name, value in given.items():
                if union.setdefault(name, value) != value:
                    return None
        conditions = {name: value for name, value in union.items() if isinstance(value, bool)}
        if conditions:
            try:
                if not self.cfn.conditions.satisfiable(conditions, {}):
                    return None
            except Exception:  # pylint: disable=broad-except
                pass  # of conditions that cfn-lint cannot follow all are possible
        return union

    def of(self, value, path, given=None):
        """Every possibility of a value."""
        return itertools.islice(self._of(value, path, given or {}), MOST)

    def _of(self, value, path, given):
        if not isinstance(value, dict) or len(value) != 1:
            yield Possible(value, path, given)
            return
        (function, argument), = value.items()
        if function == "Fn::If" and isinstance(argument, list) and len(argument) == 3:
            for index, truth in ((1, True), (2, False)):
                union = self.together(given, {argument[0]: truth})
                if union is not None:
                    yield from self._of(argument[index], path + ["Fn::If", index], union)
        elif function == "Ref" and argument == "AWS::NoValue":
            yield Possible(ABSENT, path, given)
        elif function == "Ref" and argument in self.parameters:
            yield from self._parameter(argument, path, given)
        elif function == "Fn::FindInMap":
            yield from self._find(argument, path, given)
        elif function == "Fn::Sub":
            yield from self._sub(argument, path, given)
        else:
            yield Possible(value, path, given)

    def _parameter(self, name, path, given):
        about = self.parameters[name]
        values = about.get("AllowedValues") or ([about["Default"]] if "Default" in about else [])
        if name in given:
            values = [value for value in values if str(value) == given[name]]
        if not values:
            yield Possible(UNKNOWN, path, given)
        for value in values:
            yield Possible(value, path, {**given, name: str(value)})

    def _find(self, keys, path, given):
        def walk(level, keys, supposed):
            if not keys:
                yield Possible(level, path, supposed)
                return
            for key in self._of(keys[0], path, supposed):
                if key.text in (level if isinstance(level, dict) else {}):
                    yield from walk(level[key.text], keys[1:], key.given)
                else:
                    yield Possible(UNKNOWN, path, key.given)
        yield from walk(self.mappings, list(keys)[:3], given)

    def _sub(self, argument, path, given):
        text, own = argument if isinstance(argument, list) else (argument, {})
        names = list(dict.fromkeys(re.findall(r"\$\{([\w:.]+)\}", text)))
        choices = [[(name, known) for known in self._of(own.get(name, {"Ref": name}), path, given)] for name in names]
        for choice in itertools.product(*choices):
            union = self.together(given, *(known.given for _, known in choice))
            if union is None:
                continue
            done = text
            for name, known in choice:
                if known.text is not None:
                    done = done.replace("${%s}" % name, known.text)
            yield Possible(done.replace("${!", "${"), path, union)

    def get(self, value, path, *keys, given=None):
        """Every possibility of value[key][key]...; ABSENT, at the path of what lacks it, if a key is missing."""
        for found in self.of(value, path, given):
            if not keys or found.absent or found.value is UNKNOWN:
                yield found
            elif isinstance(found.value, dict) and keys[0] in found.value:
                yield from self.get(found.value[keys[0]], found.path + [keys[0]], *keys[1:], given=found.given)
            else:
                yield Possible(ABSENT, found.path, found.given)

    def items(self, value, path, *keys, given=None):
        """Every possible element of the list value[key]..., with its place."""
        for found in self.get(value, path, *keys, given=given):
            elements = found.value if isinstance(found.value, list) else [] if found.absent else [found.value]
            for index, element in enumerate(elements):
                at = found.path + [index] if isinstance(found.value, list) else found.path
                for one in self.of(element, at, found.given):
                    if not one.absent:
                        yield one

    def resources(self, *types):
        """Name, properties and path of the properties of each resource of these types, and what it supposes."""
        for name, resource in (self.cfn.template.get("Resources") or {}).items():
            if isinstance(resource, dict) and resource.get("Type") in types:
                given = {resource["Condition"]: True} if "Condition" in resource else {}
                path = ["Resources", name, "Properties"]
                if not isinstance(resource.get("Properties"), dict):
                    path = path[:2]
                yield name, resource.get("Properties") or {}, path, given

    def resource(self, name, type_):
        return next((found for found in self.resources(type_) if found[0] == name), None)


def appliances(view):
    """Groups behind a UDP target group of the template, with these target groups."""
    for group in view.resources(ASG):
        _, properties, path, given = group
        targets = []
        for arn in view.items(properties, path, "TargetGroupARNs", given=given):
            target = arn.resource and view.resource(arn.resource, TARGETS)
            if target and any(found.text in ("UDP", "TCP_UDP") for found in view.get(target[1], target[2], "Protocol")):
                targets.append(target)
        if targets:
            yield group, targets


class Trap(CloudFormationLintRule):
    """Base of the rules: `traps` yields (path, what is wrong and what to do)."""

    source_url = "https://github.com/aws-cloudformation/cfn-lint"
    tags = ["vxlan-pipeline"]

    def traps(self, view):
        raise NotImplementedError

    def match(self, cfn):
        found = {}
        for path, text in self.traps(View(cfn)):
            found.setdefault((tuple(path), text), RuleMatch(list(path), text))
        return list(found.values())


def rule(number, short, why):
    """A class decorator: the rule's id and texts, from the function that finds its traps."""
    def of(traps):
        return type(traps.__name__, (Trap,), {
            "id": f"E{number}", "shortdesc": short, "description": why, "__module__": traps.__module__,
            "traps": lambda self, view: traps(view)})
    return of
