// Exits 0 when a bucket and an object can be made and removed with signed requests:
// node s3-ping.mjs ENDPOINT ACCESS_KEY SECRET_KEY REGION
import { createHash, createHmac } from "node:crypto";

const [endpoint, accessKey, secretKey, region] = process.argv.slice(2);
const hmac = (key, text) => createHmac("sha256", key).update(text, "utf8").digest();
const sha256 = (text) => createHash("sha256").update(text, "utf8").digest("hex");

// The Authorization value of AWS Signature Version 4 for a path without characters that need encoding.
function authorization(method, path, headers) {
    const date = headers["x-amz-date"];
    const names = Object.keys(headers).sort();
    const canonical = [
        method, path, "", ...names.map((name) => `${name}:${headers[name]}`), "", names.join(";"),
        headers["x-amz-content-sha256"],
    ].join("\n");
    const scope = `${date.slice(0, 8)}/${region}/s3/aws4_request`;
    const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`;
    const key = scope.split("/").reduce(hmac, `AWS4${secretKey}`);
    const signature = hmac(key, text).toString("hex");
    return `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
}

async function request(method, path, body = "") {
    const url = new URL(endpoint + path);
    const headers = {
        "host": url.host,
        "x-amz-content-sha256": sha256(body),
        "x-amz-date": new Date().toISOString().replace(/[-:]|\.\d+/g, ""),
    };
    headers.authorization = authorization(method, url.pathname, headers);
    const options = { method, headers, signal: AbortSignal.timeout(60000) };
    const reply = await fetch(url, body === "" ? options : { ...options, body });
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
}

const bucket = `/ready-${process.pid}`;
try {
    await request("PUT", bucket);
    await request("PUT", `${bucket}/object`, "ready");
    await request("DELETE", `${bucket}/object`);
    await request("DELETE", bucket);
} catch (error) {
    console.error(`${error.message}${error.cause ? ` (${error.cause.message})` : ""}`);
    process.exitCode = 1;
}
