// Reports the events of one job with the official Go SDK: by its typed request, or by the common request that the
// aliyun command line makes of its arguments.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/errors"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/cms"
)

type job struct {
	Endpoint, Key, Secret, Token string
	Events                       []struct{ Name, Content, GroupId, Time string }
}

const region = "cn-hangzhou"

func typed(asked job) (string, error) {
	var client *cms.Client
	var err error
	if asked.Token == "" {
		client, err = cms.NewClientWithAccessKey(region, asked.Key, asked.Secret)
	} else {
		client, err = cms.NewClientWithStsToken(region, asked.Key, asked.Secret, asked.Token)
	}
	if err != nil {
		return "", err
	}
	request := cms.CreatePutCustomEventRequest()
	request.Scheme = "http"
	request.Domain = asked.Endpoint
	events := []cms.PutCustomEventEventInfo{}
	for _, event := range asked.Events {
		events = append(events, cms.PutCustomEventEventInfo{
			EventName: event.Name, Content: event.Content, GroupId: event.GroupId, Time: event.Time,
		})
	}
	request.EventInfo = &events
	response, err := client.PutCustomEvent(request)
	if err != nil {
		return "", err
	}
	return response.GetHttpContentString(), nil
}

func common(asked job, method string, inForm bool) (string, error) {
	var client *sdk.Client
	var err error
	if asked.Token == "" {
		client, err = sdk.NewClientWithAccessKey(region, asked.Key, asked.Secret)
	} else {
		client, err = sdk.NewClientWithStsToken(region, asked.Key, asked.Secret, asked.Token)
	}
	if err != nil {
		return "", err
	}
	request := requests.NewCommonRequest()
	request.Product, request.Version, request.ApiName = "Cms", "2019-01-01", "PutCustomEvent"
	request.RegionId, request.Scheme, request.Method, request.Domain = region, "http", method, asked.Endpoint
	parameters := request.QueryParams
	if inForm {
		parameters = request.FormParams
	}
	for index, event := range asked.Events {
		for field, value := range map[string]string{
			"EventName": event.Name, "Content": event.Content, "GroupId": event.GroupId, "Time": event.Time,
		} {
			if value != "" {
				parameters[fmt.Sprintf("EventInfo.%d.%s", index+1, field)] = value
			}
		}
	}
	response, err := client.ProcessCommonRequest(request)
	if err != nil {
		return "", err
	}
	return response.GetHttpContentString(), nil
}

func main() {
	var asked job
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		panic(err)
	}
	var body string
	var err error
	switch os.Args[1] {
	case "typed":
		body, err = typed(asked)
	case "query":
		body, err = common(asked, "POST", false)
	case "get":
		body, err = common(asked, "GET", false)
	case "form":
		body, err = common(asked, "POST", true)
	default:
		panic("no such way: " + os.Args[1])
	}
	answer := map[string]string{}
	if refused, ok := err.(*errors.ServerError); ok {
		answer["error"], answer["message"] = refused.ErrorCode(), refused.Message()
		answer["requestId"], answer["advice"] = refused.RequestId(), refused.Recommend()
	} else if err != nil {
		panic(err)
	} else {
		var said struct{ Code, Message, RequestId string }
		if err := json.Unmarshal([]byte(body), &said); err != nil {
			panic(err)
		}
		answer["code"], answer["message"], answer["requestId"] = said.Code, said.Message, said.RequestId
	}
	if err := json.NewEncoder(os.Stdout).Encode(answer); err != nil {
		panic(err)
	}
}
