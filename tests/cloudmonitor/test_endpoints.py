"""Where each region takes events."""

from __future__ import annotations

import re

import pytest

from shipper.cloudmonitor.endpoints import endpoint, find_endpoint
from shipper.config.model import CloudMonitorTable
from shipper.errors import ConfigurationError


@pytest.mark.parametrize("region", ["cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1"])
def test_public_endpoints(region: str) -> None:
    """The five listed regions have public https endpoints."""
    assert endpoint(region) == f"https://metrichub-cms-{region}.aliyuncs.com"


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("cn-hangzhou", "http://metrichub-cn-hangzhou.aliyun.com"),
        ("cn-wulanchabu", "http://metrichub-cn-wulanchabu.aliyun.com"),
        ("eu-central-1", "http://metrichub-eu-central-1.aliyun.com"),
        ("ap-south-1", "http://metrichub-ap-south-1.aliyuncs.com"),
        ("cn-nanjing", "http://metrichub-cn-nanjing.aliyuncs.com"),
        ("cn-beijing-finance-1", "http://metrichub-cn-beijing-finance-1.aliyuncs.com"),
    ],
)
def test_vpc_endpoints(region: str, expected: str) -> None:
    """Inside Alibaba Cloud the listed host is used, with the domain that is listed for it."""
    assert endpoint(region, "vpc") == expected


def test_a_mistyped_region_is_answered_with_the_closest() -> None:
    """An unknown region says what was probably meant, what is known, and the way around the table."""
    with pytest.raises(ValueError, match=r"did you mean 'cn-hangzhou'.*cn-shanghai.*'endpoint'"):
        endpoint("cn-hangzou")


def test_a_region_without_public_endpoint_is_never_guessed() -> None:
    """A region that is known in VPCs only is pointed to the VPC, no host is made up."""
    with pytest.raises(ValueError, match=re.escape("inside that region use network 'vpc'")):
        endpoint("eu-central-1")


def test_unknown_network() -> None:
    """A network that is neither public nor vpc is refused."""
    with pytest.raises(ValueError, match="'public' or 'vpc'"):
        endpoint("cn-hangzhou", "private")


def test_the_table_decides() -> None:
    """An endpoint said outright wins; an unknown region is a configuration error."""
    assert find_endpoint(CloudMonitorTable(endpoint="http://127.0.0.1:1")) == "http://127.0.0.1:1"
    assert find_endpoint(CloudMonitorTable()) == "https://metrichub-cms-cn-hangzhou.aliyuncs.com"
    with pytest.raises(ConfigurationError, match="no public endpoint is known"):
        find_endpoint(CloudMonitorTable(region="mars-1"))
