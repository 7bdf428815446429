# SPDX-License-Identifier: GPL-2.0-only
"""Auto Scaling groups of appliances: hooks, replacement."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
import _resolve  # noqa: E402  pylint: disable=wrong-import-position

ASG, HOOK = _resolve.ASG, "AWS::AutoScaling::LifecycleHook"
LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"


def hooks_of(view, group):
    """Every hook of a group: in its own list, and as a resource."""
    name, properties, path, given = group
    yield from view.items(properties, path, "LifecycleHookSpecificationList", given=given)
    for _, hook, at, supposed in view.resources(HOOK):
        for found in view.get(hook, at, "AutoScalingGroupName", given=supposed):
            if found.resource == name:
                yield _resolve.Possible(hook, at, found.given)


def every_hook(view):
    for group in view.resources(ASG):
        yield from view.items(*group[1:3], "LifecycleHookSpecificationList", given=group[3])
    for _, hook, path, given in view.resources(HOOK):
        yield _resolve.Possible(hook, path, given)


def of(view, hook, key):
    return view.get(hook.value, hook.path, key, given=hook.given)


@_resolve.rule(9740, "A launch hook is in the group's own list",
               "As a resource of its own it is made after the group, and misses the first instances.")
def own_list(view):
    for _, hook, path, given in view.resources(HOOK):
        for found in view.get(hook, path, "LifecycleTransition", given=given):
            if found.text == LAUNCHING:
                yield found.path, "the group's first instances do not meet this hook: put it into LifecycleHookSpecificationList"


@_resolve.rule(9741, "A hook lasts 30 to 7200 seconds", "AWS refuses others.")
def timeout(view):
    for hook in every_hook(view):
        for found in of(view, hook, "HeartbeatTimeout"):
            if found.number is not None and not 30 <= found.number <= 7200:
                yield found.path, f"a hook of {found.number} seconds: say 30 to 7200"


@_resolve.rule(9742, "A terminate hook outlasts the deregistration delay",
               "The group deregisters an instance, then holds it; flows come until the delay is over.")
def outlasts(view):
    for group, targets in _resolve.appliances(view):
        holds = [hook for hook in hooks_of(view, group)
                 for found in of(view, hook, "LifecycleTransition") if found.text == TERMINATING]
        if not holds:
            yield group[2], f"{group[0]} has no terminate hook: an instance is gone while flows still come to it; add one longer than the deregistration delay"
        for hook in holds:
            for lasts in of(view, hook, "HeartbeatTimeout"):
                for delay in delays(view, targets):
                    seconds = 3600 if lasts.absent else lasts.number
                    if (seconds is not None and delay.number is not None and seconds <= delay.number
                            and view.together(lasts.given, delay.given) is not None):
                        yield lasts.path, f"the hook ends after {seconds} seconds, when flows still come for {delay.number}: say more than that"


def delays(view, targets):
    """Possible deregistration delays; 300 seconds where none is said."""
    for _, properties, path, given in targets:
        said = False
        for item in view.items(properties, path, "TargetGroupAttributes", given=given):
            for key in view.get(item.value, item.path, "Key", given=item.given):
                if key.text == "deregistration_delay.timeout_seconds":
                    said = True
                    yield from view.get(item.value, item.path, "Value", given=key.given)
        if not said:
            yield _resolve.Possible(300, path, given)


@_resolve.rule(9743, "An instance whose launch hook ends unanswered is abandoned",
               "With CONTINUE, one that is not ready gets traffic, and loses it.")
def abandons(view):
    for hook in every_hook(view):
        for transition in of(view, hook, "LifecycleTransition"):
            for found in view.get(hook.value, hook.path, "DefaultResult", given=transition.given):
                if transition.text == LAUNCHING and found.text == "CONTINUE":
                    yield found.path, "an instance that never was ready would get traffic: say ABANDON"


@_resolve.rule(9744, "A group of appliances launches before it terminates",
               "Without a maintenance policy of at least 100 percent it terminates first, and the others get all of the flows.")
def launches_first(view):
    for group, _ in _resolve.appliances(view):
        for found in view.get(*group[1:3], "InstanceMaintenancePolicy", "MinHealthyPercentage", given=group[3]):
            if found.absent or found.number is not None and found.number < 100:
                yield found.path, f"{group[0]}: MinHealthyPercentage is {found.text or 'absent'}: say 100, and MaxHealthyPercentage more"


@_resolve.rule(9745, "A group of appliances has a warm-up",
               "Without one, an instance counts as soon as it is in service, before the load balancer sends it flows.")
def warm_up(view):
    for group, _ in _resolve.appliances(view):
        for found in view.get(*group[1:3], "DefaultInstanceWarmup", given=group[3]):
            if found.absent:
                yield found.path, f"{group[0]} has no DefaultInstanceWarmup: say the seconds in which health is settled, as 60"


@_resolve.rule(9746, "A rolling update leaves room to launch first",
               "MinInstancesInService has to be less than MaxSize; below MinSize, an instance is terminated first.")
def rolling(view):
    for group, _ in _resolve.appliances(view):
        name, properties, path, given = group
        update = view.cfn.template["Resources"][name].get("UpdatePolicy") or {}
        at = ["Resources", name, "UpdatePolicy"]
        for kept in view.get(update, at, "AutoScalingRollingUpdate", "MinInstancesInService", given=given):
            if kept.path == at:
                continue
            for size in view.get(properties, path, "MaxSize", given=kept.given):
                if kept.number is not None and size.number is not None and kept.number >= size.number:
                    yield kept.path, f"{name}: MinInstancesInService {kept.number} is not less than MaxSize {size.number}: AWS refuses the update; raise MaxSize"
            for size in view.get(properties, path, "MinSize", given=kept.given):
                if size.number and (0 if kept.absent else kept.number if kept.number is not None else size.number) < size.number:
                    yield kept.path, f"{name}: MinInstancesInService is {kept.text or 'absent'}, so one of {size.number} is terminated before another is there: say {size.number}"


@_resolve.rule(9747, "A rolling update waits for longer than the launch hooks",
               "Otherwise it fails while the instance may still say why it is not ready.")
def waits(view):
    for group, _ in _resolve.appliances(view):
        name, _, _, given = group
        update = view.cfn.template["Resources"][name].get("UpdatePolicy") or {}
        at = ["Resources", name, "UpdatePolicy"]
        for pause in view.get(update, at, "AutoScalingRollingUpdate", "PauseTime", given=given):
            parts = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", pause.text or "")
            signals = next(view.get(update, at, "AutoScalingRollingUpdate", "WaitOnResourceSignals", given=pause.given))
            if not parts or signals.text != "true":
                continue
            seconds = sum(int(part or 0) * unit for part, unit in zip(parts.groups(), (3600, 60, 1)))
            for hook in hooks_of(view, group):
                for lasts in of(view, hook, "HeartbeatTimeout"):
                    launching = any(one.text == LAUNCHING for one in of(view, hook, "LifecycleTransition"))
                    if launching and lasts.number is not None and lasts.number > seconds:
                        yield pause.path, f"{name}: the update waits {seconds} seconds, a launch hook {lasts.number}: say more than that"


@_resolve.rule(9748, "A mirror target's target group has targets, registered by instance",
               "Without one, every mirrored packet is dropped; AWS refuses a group whose target group has another type.")
def targets(view):
    used = {found.resource for group in view.resources(ASG) for found in view.items(*group[1:3], "TargetGroupARNs", given=group[3])}
    for name, properties, path, given in view.resources(_resolve.TARGETS) if list(view.resources("AWS::EC2::TrafficMirrorTarget")) else ():
        protocols = [found.text for found in view.get(properties, path, "Protocol", given=given)]
        if name not in used and "Targets" not in properties and set(protocols) & {"UDP", "TCP_UDP"}:
            yield path, f"{name} has no targets: name it in TargetGroupARNs of the group"
        for found in view.get(properties, path, "TargetType", given=given):
            if name in used and found.text not in ("instance", None):
                yield found.path, f"{name} is of type {found.text}, and a group registers instances: say instance"
