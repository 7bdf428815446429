# SPDX-License-Identifier: GPL-2.0-only
"""
Resource types for moto's CloudFormation that moto has no model of. moto takes every direct subclass of
CloudFormationModel for a type, and the service from the name of its module.
"""

from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel

properties_of: dict = {}  # {(stack's name, logical id): its resolved properties}
_kept = []  # classes that nothing else refers to would be collected


def forget_caches():
    for cache in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        cache.cache_clear()


def add(cfn_type, create, remove=lambda identifier, account, region: None, update=None,
        attributes=None):
    """
    `create` (properties, account, region, name) returns the physical id; `update` (id, properties,
    account, region) changes it in place; `attributes` (id, name, account, region): Fn::GetAtt.
    """

    class Model(CloudFormationModel):
        __module__ = f"moto.{cfn_type.split('::')[1].lower()}.added"

        def __init__(self, identifier, account, region):
            self.identifier, self.account, self.region = identifier, account, region

        @staticmethod
        def cloudformation_name_type():
            return ""

        @staticmethod
        def cloudformation_type():
            return cfn_type

        @classmethod
        def has_cfn_attr(cls, attr):
            return True

        def get_cfn_attribute(self, attribute_name):
            if attributes:
                return attributes(self.identifier, attribute_name, self.account, self.region)
            return self.identifier

        @property
        def physical_resource_id(self):
            return self.identifier

        @classmethod
        def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id,
                                            region_name, **about):
            properties = cloudformation_json.get("Properties", {})
            stack = about["StackId"].split("/")[1] if "StackId" in about else ""
            properties_of[stack, about.get("LogicalId", resource_name)] = properties
            return cls(create(properties, account_id, region_name, resource_name), account_id,
                       region_name)

        @classmethod
        def update_from_cloudformation_json(cls, original_resource, new_resource_name,
                                            cloudformation_json, account_id, region_name):
            properties = cloudformation_json.get("Properties", {})
            if update:
                update(original_resource.identifier, properties, account_id, region_name)
                return original_resource
            remove(original_resource.identifier, account_id, region_name)
            return cls(create(properties, account_id, region_name, new_resource_name), account_id,
                       region_name)

        @classmethod
        def delete_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id,
                                            region_name):
            remove(resource_name, account_id, region_name)

        def delete(self, account_id, region_name):
            remove(self.identifier, account_id, region_name)

    Model.__name__ = Model.__qualname__ = cfn_type.replace("::", "")
    _kept.append(Model)
    forget_caches()
