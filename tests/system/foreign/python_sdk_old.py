"""Reports the events of one job with the official Python SDK of the old generation (signature V2)."""

import json
import sys

from aliyunsdkcms.request.v20190101.PutCustomEventRequest import (  # type: ignore[import-not-found]
    PutCustomEventRequest,
)
from aliyunsdkcore.acs_exception.exceptions import ServerException  # type: ignore[import-not-found]
from aliyunsdkcore.auth.credentials import (  # type: ignore[import-not-found]
    AccessKeyCredential,
    StsTokenCredential,
)
from aliyunsdkcore.client import AcsClient  # type: ignore[import-not-found]

FIELDS = {"name": "EventName", "content": "Content", "groupId": "GroupId", "time": "Time"}

job = json.load(sys.stdin)
keys = job["key"], job["secret"]
credential = StsTokenCredential(*keys, job["token"]) if job["token"] else AccessKeyCredential(*keys)
client = AcsClient(region_id="cn-hangzhou", credential=credential)
request = PutCustomEventRequest()
request.set_endpoint(job["endpoint"])
request.set_protocol_type("http")
request.set_EventInfos([{FIELDS[field]: value for field, value in event.items()} for event in job["events"]])
try:
    said = json.loads(client.do_action_with_exception(request))
    answer = {"code": said["Code"], "message": said["Message"], "requestId": said["RequestId"]}
except ServerException as refused:
    answer = {
        "error": refused.get_error_code(),
        "message": refused.get_error_msg(),
        "requestId": refused.get_request_id(),
    }
json.dump(answer, sys.stdout)
