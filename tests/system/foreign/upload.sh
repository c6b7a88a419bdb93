#!/bin/sh
# Uploads the JSON array on its standard input with curl, openssl and md5sum alone, as the documentation tells.
# upload.sh ENDPOINT KEY SECRET [TOKEN]
set -eu
endpoint=$1 key=$2 secret=$3 token=${4:-}
body=$(mktemp)
trap 'rm -f "$body"' EXIT
cat > "$body"

path=/event/custom/upload
md5=$(md5sum < "$body" | cut -c1-32 | tr a-f A-F)
date=$(LC_ALL=C date -u '+%a, %d %b %Y %H:%M:%S GMT')
if [ -n "$token" ]; then
    own="x-cms-api-version:1.0
x-cms-caller-type:token
x-cms-ip:127.0.0.1
x-cms-security-token:$token
x-cms-signature:hmac-sha1"
else
    own="x-cms-api-version:1.0
x-cms-ip:127.0.0.1
x-cms-signature:hmac-sha1"
fi
signature=$(printf 'POST\n%s\n%s\n%s\n%s\n%s' "$md5" application/json "$date" "$own" "$path" |
    openssl dgst -sha1 -hmac "$secret" | sed 's/.*= *//' | tr a-f A-F)

set -- --header "Authorization: $key:$signature" --header "Content-MD5: $md5" --header 'Content-Type: application/json' \
    --header "Date: $date" --header 'User-Agent: cms-java-sdk-v-1.0' --header 'x-cms-api-version: 1.0' \
    --header 'x-cms-ip: 127.0.0.1' --header 'x-cms-signature: hmac-sha1'
if [ -n "$token" ]; then
    set -- "$@" --header 'x-cms-caller-type: token' --header "x-cms-security-token: $token"
fi
curl --silent --show-error --noproxy '*' --max-time 30 --request POST --data-binary @"$body" "$@" "http://$endpoint$path"
