// Exits 0 when a List Containers, signed with the account's key, succeeds: node ping.mjs ENDPOINT ACCOUNT KEY
import { createHmac } from "node:crypto";

const [endpoint, account, key] = process.argv.slice(2);
const url = new URL(`${endpoint}?comp=list`);
const date = new Date().toUTCString();
const version = "2021-12-02";
// Shared Key (Azure Storage): verb, 11 empty standard headers, x-ms- headers, canonical resource.
// The emulator's path holds the account's name, so it appears twice.
const text = `GET${"\n".repeat(12)}x-ms-date:${date}\nx-ms-version:${version}\n/${account}${url.pathname}\ncomp:list`;
const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text, "utf8").digest("base64");

const reply = await fetch(url, {
    headers: { "x-ms-date": date, "x-ms-version": version, authorization: `SharedKey ${account}:${signature}` },
    signal: AbortSignal.timeout(5000),
});
process.exitCode = reply.status === 200 ? 0 : 1;
