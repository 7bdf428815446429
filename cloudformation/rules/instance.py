# SPDX-License-Identifier: GPL-2.0-only
"""What a launch template says of the machine: metadata, volumes, image and type."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(__file__))
import _resolve  # noqa: E402  pylint: disable=wrong-import-position

TEMPLATE, INSTANCE = "AWS::EC2::LaunchTemplate", "AWS::EC2::Instance"
ARM_TYPE = re.compile(r"(a1|[a-z]+\d+g[a-z]*|(im|is)4g[a-z]*)\.")
ARM_IMAGE, X86_IMAGE = re.compile(r"arm64|aarch64"), re.compile(r"x86_64|amd64")


def machines(view):
    """Name, description and path of each launch template's data, and of each instance."""
    for name, properties, path, given in view.resources(TEMPLATE):
        for found in view.get(properties, path, "LaunchTemplateData", given=given):
            if isinstance(found.value, dict):
                yield name, found.value, found.path, found.given
    yield from view.resources(INSTANCE)


@_resolve.rule(9730, "Instance metadata takes IMDSv2 only",
               "With version 1, whoever makes the machine send a request gets its credentials.")
def metadata(view):
    for name, properties, path, given in machines(view):
        for found in view.get(properties, path, "MetadataOptions", "HttpTokens", given=given):
            if found.absent or found.text not in ("required", None):
                yield found.path, f"{name}: HttpTokens is {found.text or 'absent'}: say required"


@_resolve.rule(9731, "Volumes are encrypted",
               "A volume is as the image says, mostly unencrypted, unless the launch template says otherwise.")
def volumes(view):
    for name, properties, path, given in machines(view):
        volumes_of = [item for item in view.items(properties, path, "BlockDeviceMappings", given=given)
                      if isinstance(item.value, dict) and "Ebs" in item.value]
        if not volumes_of:
            yield path, f"{name} leaves encryption of its root volume to the image: say BlockDeviceMappings with Encrypted: true"
        for item in volumes_of:
            for found in view.get(item.value, item.path, "Ebs", "Encrypted", given=item.given):
                if found.absent or found.text == "false":
                    yield found.path, f"{name}: Encrypted is {found.text or 'absent'}: say true"


def image(view, found):
    """The text that tells an image's architecture: an SSM path, of a reference or of a parameter's default."""
    parameter = view.parameters.get(found.resource or "", {})
    return found.text or (str(parameter.get("Default", "")) if "SSM" in str(parameter.get("Type")) else "")


@_resolve.rule(9732, "Instance type and image have one architecture",
               "An arm64 type does not start an x86_64 image; the group tries for ever.")
def architecture(view):
    for name, properties, path, given in machines(view):
        for type_ in view.get(properties, path, "InstanceType", given=given):
            for found in view.get(properties, path, "ImageId", given=type_.given):
                said = image(view, found)
                if not type_.text or not (ARM_IMAGE.search(said) or X86_IMAGE.search(said)):
                    continue
                if bool(ARM_TYPE.match(type_.text)) != bool(ARM_IMAGE.search(said)):
                    yield found.path, f"{name}: {type_.text} is {'arm64' if ARM_TYPE.match(type_.text) else 'x86_64'}, and the image is not: {said}"
