// The driver of the JavaScript client in Node: node.mjs [--ws], with the package `ws` in place of the built-in WebSocket.
import { createInterface } from "node:readline";
import { connect, GatewayError } from "../../../clients/javascript/index.js";
import { Application, CAPABILITIES } from "./javascript.mjs";

const onWs = process.argv.includes("--ws");
const more = onWs ? { WebSocket: (await import("file:///usr/share/nodejs/ws/wrapper.mjs")).WebSocket } : {}; // Debian's node-ws
const say = (report) => process.stdout.write(JSON.stringify(report) + "\n");

say({ saw: "ready", client: `nuropb-gateway-client for JavaScript, in Node ${process.version}${onWs ? " with ws" : ""}`, capabilities: CAPABILITIES });
const application = new Application({ connect, GatewayError }, say, more);
for await (const line of createInterface({ input: process.stdin })) application.take(JSON.parse(line));
// Node ends by itself once nothing of the client is open any more.
application.take({ do: "close" });
