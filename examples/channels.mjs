// Snorky's channels in JavaScript.
//
//   node channels.mjs ws://HOST:PORT/ws TOKEN
import { connectSnorky } from "../clients/javascript/index.js";

const [url, token] = process.argv.slice(2);

const snorky = connectSnorky(url, { token });
const pubsub = snorky.service("pubsub");
const off = await pubsub.subscribe("sport", (message) => console.log("heard", message));
await pubsub.publish("sport", { goal: 1 });
const members = await snorky.service("chat").call("join", { channel: "lobby" });
console.log("here:", members.members.join());
await off();
snorky.close();
