# SPDX-License-Identifier: GPL-2.0-only
"""
CloudFormation's way of carrying out a change, in place of moto's: resources in the order of their
dependencies, whatever follows from a change, back to what was there when something fails.
"""

import re
import threading
import warnings

from moto.cloudformation import models, parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Stack
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import EmptyResult

import cloud_lambda
import cloud_models

warnings.filterwarnings("ignore", message="Tried to parse")
parsing.NULL_MODELS.clear()
signals: list = []  # (stack, resource, unique id, status)


def reset():
    signals.clear()


def references(node):
    """Logical ids, and names of parameters, that a part of a template refers to."""
    if isinstance(node, list):
        for each in node:
            yield from references(each)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "Ref":
                yield value
            elif key == "Fn::GetAtt":
                yield value[0] if isinstance(value, list) else value.split(".")[0]
            elif key == "Fn::Sub":
                for name in re.findall(r"\$\{([A-Za-z0-9]+)", str(value)):
                    yield name
                yield from references(value)
            else:
                yield from references(value)


def in_order(template):
    """Logical ids, each behind those that it needs."""
    resources, done = template["Resources"], []

    def visit(name):
        if name in done:
            return
        after = resources[name].get("DependsOn", [])
        for other in [*references(resources[name]), *([after] if isinstance(after, str) else after)]:
            if other in resources and other != name:
                visit(other)
        done.append(name)

    for name in resources:
        visit(name)
    return done


class Work:
    """A change of a stack to a template with parameters."""

    def __init__(self, stack, template, parameters):
        self.stack = stack
        self.before, self.old = stack.resource_map, getattr(stack, "resolved", {})
        # moto has lists of what was given before, and takes text.
        parameters = {name: ",".join(value) if isinstance(value, list) else str(value)
                      for name, value in parameters.items()}
        stack.template, stack.parameters = template, parameters
        stack._parse_template()
        self.map, self.resolved = stack._create_resource_map(), {}
        self.template = stack.template_dict

    def note(self, name, status, reason=None):
        kind = self.template["Resources"].get(name, {}).get("Type", "")
        self.stack.events.append(models.Event(self.stack.stack_id, self.stack.name, name, name, kind,
                                              status, reason, None))

    def carry_out(self):
        for name in in_order(self.template):
            resource = self.template["Resources"][name]
            condition = resource.get("Condition")
            if condition and not self.map.lazy_condition_map[condition]:
                self.map._parsed_resources[name] = None
                continue
            try:
                self.make(name, resource)
            except Exception as error:
                self.note(name, "CREATE_FAILED", str(error))
                raise
        for name in reversed(list(self.old)):
            if name not in self.resolved:
                remove(self.stack, self.before, name, self.old)
        self.stack.resource_map, self.stack.resolved = self.map, self.resolved
        self.stack.output_map = self.stack._create_output_map()

    def make(self, name, resource):
        kind, properties = resource["Type"], parsing.clean_json(
            resource.get("Properties", {}), self.map)
        where = self.stack.account_id, self.stack.region_name
        there = self.before._parsed_resources.get(name) if name in self.old else None
        if name in self.old and self.old[name][1] == properties:
            made = there
        elif kind.startswith("Custom::"):
            self.resolved[name] = kind, properties  # for it to be removed if it fails
            reason = cloud_lambda.ask(properties, "Update" if name in self.old else "Create",
                                      self.stack.stack_id, name)
            if reason:
                raise RuntimeError(reason)
            made = name
        elif there is not None:
            made = parsing.get_model_map()[kind].update_from_cloudformation_json(
                there, name, {"Type": kind, "Properties": properties}, *where)
            self.note(name, "UPDATE_COMPLETE")
        else:
            if kind not in parsing.get_model_map():
                raise RuntimeError(f"this twin of AWS has no {kind}")
            made = parsing.get_model_map()[kind].create_from_cloudformation_json(
                parsing.generate_resource_name(kind, self.stack.name, name)
                if "AutoScaling" not in kind else self.stack.name,
                {"Type": kind, "Properties": properties}, *where, LogicalId=name,
                StackId=self.stack.stack_id, ResourceType=kind)
            self.note(name, "CREATE_COMPLETE")
        self.map._parsed_resources[name] = made
        self.resolved[name] = kind, properties


def remove(stack, resource_map, name, resolved):
    kind, properties = resolved.pop(name)
    if kind.startswith("Custom::"):
        reason = cloud_lambda.ask(properties, "Delete", stack.stack_id, name)
        if reason:
            raise RuntimeError(reason)
        return
    resource = resource_map._parsed_resources.pop(name, None)
    if resource is not None:
        where = stack.account_id, stack.region_name
        if hasattr(resource, "delete"):
            resource.delete(*where)
        elif hasattr(resource, "physical_resource_id"):
            parsing.get_model_map()[kind].delete_from_cloudformation_json(
                resource.physical_resource_id, {"Type": kind, "Properties": properties}, *where)


def remove_all(stack, resource_map, resolved):
    for name in reversed(list(resolved)):
        remove(stack, resource_map, name, resolved)


def run(stack, kind, template, parameters):
    """Carries a change out, or takes it back."""
    before = stack.template, stack.parameters
    work = None
    try:
        work = Work(stack, template, parameters)
        work.carry_out()
        status = f"{kind}_COMPLETE"
    except Exception as error:
        stack._add_stack_event(f"{kind}_FAILED", str(error))
        if kind == "UPDATE":
            stack._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS", str(error))
            if work:
                for name in work.resolved:
                    stack.resolved.setdefault(name, work.resolved[name])
                stack.resource_map._parsed_resources.update(work.map._parsed_resources)
                stack.resolved.update(work.resolved)
            Work(stack, *before).carry_out()
            status = "UPDATE_ROLLBACK_COMPLETE"
        else:
            stack._add_stack_event("ROLLBACK_IN_PROGRESS", str(error))
            if work:
                remove_all(stack, work.map, work.resolved)
            status = "ROLLBACK_COMPLETE"
    stack._add_stack_event(status)
    stack.status = status


def execute_change_set(self, change_set_name, stack_name=None):
    change = next(one for key, one in self.change_sets.items()
                  if change_set_name in (key, one.change_set_name)
                  and stack_name in (None, one.stack.name, one.stack.stack_id))
    kind, stack = change.change_set_type, change.stack
    stack.status = f"{kind}_IN_PROGRESS"
    stack._add_stack_event(stack.status, "User Initiated")
    change.execution_status = "EXECUTE_COMPLETE"
    threading.Thread(target=run, args=(stack, kind, change.template, change.parameters),
                     daemon=True).start()


def delete_stack(self, name_or_stack_id):
    for stack in list(self.stacks.values()):
        if name_or_stack_id not in (stack.name, stack.stack_id):
            continue
        stack._add_stack_event("DELETE_IN_PROGRESS", "User Initiated")
        try:
            remove_all(stack, stack.resource_map, getattr(stack, "resolved", {}))
        except Exception as error:
            stack.status = "DELETE_FAILED"
            stack._add_stack_event("DELETE_FAILED", str(error))
            return
        stack.status = "DELETE_COMPLETE"
        self.deleted_stacks[stack.stack_id] = self.stacks.pop(stack.stack_id)


def signal_resource(self):
    """Only a rolling update waits for it."""
    signals.append(tuple(self._get_param(key) for key in (
        "StackName", "LogicalResourceId", "UniqueId", "Status")))
    stack = next((one for one in self.cloudformation_backend.stacks.values()
                  if one.name == signals[-1][0]), None)
    if stack is None or not stack.status.endswith("IN_PROGRESS"):
        raise ValidationError(message="nobody waits for a signal")
    return EmptyResult()


CloudFormationBackend.execute_change_set = execute_change_set
CloudFormationBackend.delete_stack = delete_stack
CloudFormationResponse.signal_resource = signal_resource


def account_backend():
    (_, regions), = [(key, value) for key, value in models.cloudformation_backends.items()
                     if not key.startswith("_")][:1] or [(0, {})]
    return regions["eu-west-1"]


def failures(name):
    """[(resource, reason)] of a stack, gone or not."""
    backend = account_backend()
    return [(event.logical_resource_id, event.resource_status_reason)
            for stack in (*backend.stacks.values(), *backend.deleted_stacks.values())
            if stack.name == name for event in stack.events
            if event.resource_status.endswith("_FAILED")]


def value_of(stack, logical, attribute=None):
    """A resource's physical id."""
    one = next(one for one in account_backend().stacks.values() if one.name == stack)
    resource = one.resource_map._parsed_resources[logical]
    return resource.get_cfn_attribute(attribute) if attribute else resource.physical_resource_id


def properties_of(stack, logical):
    one = next(one for one in account_backend().stacks.values() if one.name == stack)
    return one.resolved[logical][1]


# Resources that have no model in moto, or one that drops what matters here.

def shared(service, method, **names):
    """A function that makes a resource by a call: {argument: property}."""
    def create(properties, _account, _region, name):
        given = {argument: properties[key] for argument, key in names.items() if key in properties}
        getattr(cloud_lambda.client(service), method)(**given)
        return name
    return create


def create_balancer(properties, _account, _region, name):
    balancer = cloud_lambda.client("elbv2").create_load_balancer(
        Name=name, Type=properties["Type"], Scheme=properties["Scheme"],
        Subnets=properties["Subnets"], SecurityGroups=properties["SecurityGroups"])
    return balancer["LoadBalancers"][0]["LoadBalancerArn"]


def create_targets(properties, _account, _region, name):
    kept = {key: value for key, value in properties.items() if key not in (
        "TargetGroupAttributes", "Tags")}
    made = cloud_lambda.client("elbv2").create_target_group(Name=name, **kept)
    return made["TargetGroups"][0]["TargetGroupArn"]


def create_listener(properties, _account, _region, _name):
    made = cloud_lambda.client("elbv2").create_listener(
        LoadBalancerArn=properties["LoadBalancerArn"], Protocol=properties["Protocol"],
        Port=properties["Port"], DefaultActions=properties["DefaultActions"])
    return made["Listeners"][0]["ListenerArn"]


def full_name(identifier, attribute, _account, _region):
    if attribute == "LoadBalancerFullName":
        return identifier.split(":loadbalancer/")[1]
    return identifier.split(":")[-1] if attribute == "TargetGroupFullName" else identifier


def put_parameter(name, properties, *_):
    cloud_lambda.client("ssm").put_parameter(Name=name, Value=properties["Value"], Overwrite=True,
                                             Type=properties["Type"])


def create_parameter(properties, _account, _region, _name):
    put_parameter(properties["Name"], properties)
    return properties["Name"]


def elb(method, key):
    return lambda identifier, *_: getattr(cloud_lambda.client("elbv2"), method)(**{key: identifier})


cloud_models.add("AWS::ElasticLoadBalancingV2::LoadBalancer", create_balancer,
                 elb("delete_load_balancer", "LoadBalancerArn"), attributes=full_name)
cloud_models.add("AWS::ElasticLoadBalancingV2::TargetGroup", create_targets,
                 elb("delete_target_group", "TargetGroupArn"), attributes=full_name)
cloud_models.add("AWS::ElasticLoadBalancingV2::Listener", create_listener,
                 elb("delete_listener", "ListenerArn"))
cloud_models.add("AWS::SSM::Parameter", create_parameter,
                 lambda name, *_: cloud_lambda.client("ssm").delete_parameter(Name=name),
                 put_parameter)
# What only AWS itself would do something with.
for each in ("AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig", "AWS::CloudWatch::Alarm",
             "AWS::CloudWatch::Dashboard", "AWS::Logs::MetricFilter", "AWS::SNS::Subscription",
             "AWS::SNS::TopicPolicy", "AWS::RAM::ResourceShare", "AWS::AutoScaling::ScalingPolicy",
             "AWS::EC2::SecurityGroupEgress"):
    cloud_models.add(each, lambda properties, account, region, name: name)
