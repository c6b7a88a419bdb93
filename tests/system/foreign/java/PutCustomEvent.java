import com.alibaba.fastjson.JSON;
import com.alibaba.fastjson.JSONObject;
import com.aliyun.openservices.cms.CMSClient;
import com.aliyun.openservices.cms.exception.CMSException;
import com.aliyun.openservices.cms.model.impl.CustomEvent;
import com.aliyun.openservices.cms.request.CustomEventUploadRequest;
import com.aliyun.openservices.cms.response.CustomEventUploadResponse;
import java.nio.charset.StandardCharsets;
import java.text.SimpleDateFormat;

/** Reports the events of one job with the official SDK, as its own example does. */
public class PutCustomEvent {
    public static void main(String[] none) throws Exception {
        JSONObject job = JSON.parseObject(new String(System.in.readAllBytes(), StandardCharsets.UTF_8));
        String endpoint = "http://" + job.getString("endpoint");
        String token = job.getString("token");
        CMSClient client = token.isEmpty()
            ? new CMSClient(endpoint, job.getString("key"), job.getString("secret"))
            : new CMSClient(endpoint, job.getString("key"), job.getString("secret"), "192.0.2.10", token);
        CustomEventUploadRequest request = new CustomEventUploadRequest();
        SimpleDateFormat format = new SimpleDateFormat("yyyyMMdd'T'HHmmss.SSSZ");
        for (Object each : job.getJSONArray("events")) {
            JSONObject event = (JSONObject) each;
            request.appendEvent(CustomEvent.builder()
                .setName(event.getString("name"))
                .setContent(event.getString("content"))
                .setGroupId(Long.valueOf(event.getString("groupId")))
                .setTime(format.parse(event.getString("time")))
                .build());
        }
        JSONObject answer = new JSONObject();
        try {
            CustomEventUploadResponse response = client.putCustomEvent(request);
            answer.put("code", response.getCode());
            answer.put("message", response.getMessage());
            answer.put("requestId", response.getRequestId());
        } catch (CMSException refused) {
            answer.put("error", refused.getErrorCode());
            answer.put("message", refused.getMessage());
            answer.put("requestId", refused.getRequestId());
        }
        System.out.write(answer.toJSONString().getBytes(StandardCharsets.UTF_8));
        System.out.flush();
        System.exit(0); // the SDK's threads keep the process
    }
}
