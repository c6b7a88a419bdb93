"""Reports the events of one job with the official generated Python SDK; `v2` as argument asks for that signature."""

import json
import sys

from alibabacloud_cms20190101.client import Client  # type: ignore[import-not-found]
from alibabacloud_cms20190101.models import (  # type: ignore[import-not-found]
    PutCustomEventRequest,
    PutCustomEventRequestEventInfo,
)
from alibabacloud_tea_openapi.models import Config  # type: ignore[import-not-found]
from darabonba.exceptions import DaraException  # type: ignore[import-not-found]

FIELDS = {"name": "event_name", "content": "content", "groupId": "group_id", "time": "time"}

job = json.load(sys.stdin)
config = Config(
    access_key_id=job["key"],
    access_key_secret=job["secret"],
    security_token=job["token"] or None,
    endpoint=job["endpoint"],
    protocol="http",
    signature_algorithm=sys.argv[1] if len(sys.argv) > 1 else None,
)
events = [
    PutCustomEventRequestEventInfo(**{FIELDS[field]: value for field, value in event.items()})
    for event in job["events"]
]
try:
    said = Client(config).put_custom_event(PutCustomEventRequest(event_info=events)).body
    answer = {"code": said.code, "message": said.message, "requestId": said.request_id}
except DaraException as refused:
    data = refused.data or {}
    answer = {"error": refused.code, "message": refused.message, "requestId": data.get("RequestId", "")}
json.dump(answer, sys.stdout)
