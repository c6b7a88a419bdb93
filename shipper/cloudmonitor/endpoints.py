"""Where each region takes custom events: API reference, section 7. Only listed hosts; none is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shipper.config.reader import suggestion
from shipper.errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from shipper.config.model import CloudMonitorTable

_PUBLIC_REGIONS = ("cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1")

# region -> domain of `metrichub-<region>.<domain>` (section 7.2)
_VPC_DOMAINS = dict.fromkeys(
    (
        *("cn-qingdao", "cn-beijing", "cn-zhangjiakou", "cn-huhehaote", "cn-wulanchabu", "cn-hangzhou", "cn-shanghai"),
        *("cn-shenzhen", "cn-hongkong", "cn-chengdu", "cn-heyuan", "cn-guangzhou"),
        *("ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-5", "ap-southeast-6", "ap-northeast-1"),
        *("eu-central-1", "eu-west-1", "us-west-1", "us-east-1", "me-east-1", "rus-west-1"),
        *("cn-shanghai-finance-1", "cn-shenzhen-finance-1", "cn-north-2-gov-1", "cn-shanghai-mybk"),
        *("cn-zhangjiakou-spe", "cn-chengdu-smarthosting-1", "cn-zhengzhou-nebula-1", "cn-huhehaote-nebula-1"),
    ),
    "aliyun.com",
) | dict.fromkeys(
    (
        *("ap-south-1", "ap-northeast-2", "ap-southeast-7", "cn-nanjing", "cn-beijing-finance-1"),
        "ap-hochiminh-ant",
    ),
    "aliyuncs.com",
)


def endpoint(region: str, network: str = "public") -> str:
    """Give the base URL of a region's upload service.

    Args:
        region: id such as `"cn-hangzhou"`.
        network: `"public"` (https), or `"vpc"` for hosts inside Alibaba Cloud (http, as the service lists it).

    Raises:
        ValueError: no such endpoint is listed; the message says which are, and what to do.
    """
    if network == "public":
        if region in _PUBLIC_REGIONS:
            return f"https://metrichub-cms-{region}.aliyuncs.com"
    elif network == "vpc":
        if region in _VPC_DOMAINS:
            return f"http://metrichub-{region}.{_VPC_DOMAINS[region]}"
    else:
        raise ValueError(f"network must be 'public' or 'vpc', not {network!r}")
    known = sorted(_PUBLIC_REGIONS if network == "public" else _VPC_DOMAINS)
    if network == "public" and region in _VPC_DOMAINS:
        advice = "; inside that region use network 'vpc'"
    else:
        advice = suggestion(region, known)
    raise ValueError(
        f"no {network} endpoint is known for region {region!r}{advice}"
        f" (known: {', '.join(known)}; or say the address outright with 'endpoint')"
    )


def rpc_endpoint(region: str, network: str = "public") -> str:
    """Give the base URL of a region's RPC service (section 7.3), for the transport `openapi`.

    Raises:
        ValueError: the region is not known, or no host is documented without doubt; says what to do.
    """
    known = sorted({*_PUBLIC_REGIONS, *_VPC_DOMAINS})
    if network != "public":
        raise ValueError(
            f"the documentation names two VPC hosts for transport 'openapi': say 'endpoint' outright, as "
            f"https://cms-vpc.{region}.aliyuncs.com or https://metrics-vpc.{region}.aliyuncs.com"
        )
    if region not in known:
        raise ValueError(
            f"no region {region!r} is known{suggestion(region, known)} (known: {', '.join(known)}; or say the "
            "address outright with 'endpoint')"
        )
    return f"https://metrics.{region}.aliyuncs.com"


def find_endpoint(table: CloudMonitorTable, file: str = "the configuration") -> str:
    """Give the base URL that `[cloudmonitor]` means: its `endpoint`, or the one of region, network and transport.

    Args:
        table: the table.
        file: where it was read from, for the error.

    Raises:
        ConfigurationError: no endpoint is listed for them.
    """
    if table.endpoint:
        return table.endpoint
    try:
        return (rpc_endpoint if table.transport == "openapi" else endpoint)(table.region, table.network)
    except ValueError as error:
        raise ConfigurationError([Problem(file, f"[cloudmonitor]: {error}")]) from None
