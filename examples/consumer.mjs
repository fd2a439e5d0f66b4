// A consumer in JavaScript: listens for orders, and places two of which one is refused.
//
//   node consumer.mjs ws://HOST:PORT/websocket TOKEN [SERVICE]       (before Node 22: node --experimental-websocket consumer.mjs …)
import { connect, GatewayError } from "../clients/javascript/index.js"; // installed: "nuropb-gateway-client"

const [url, token, service = "orders"] = process.argv.slice(2);

const gateway = connect(url, {
  // Asked at each connect, before it expires, and when it was refused.
  token: async ({ refused }) => (refused ? undefined : token),
});
gateway.on("open", ({ user_id, resumed }) => console.log(resumed ? "again" : "hello", user_id));
gateway.on("close", ({ reason, message }) => reason === "closed" || console.error("over:", message));

const placed = new Promise((done) => {
  gateway.subscribe(`${service}.placed`, (order, { topic }) => done([topic, order.item])).then(ask, console.error);
});

async function ask() {
  const order = await gateway.request(service, "place", { item: "apple", count: 2 }, { ttl: 5000 });
  console.log("placed", order.item, order.count);
  try {
    await gateway.request(service, "place", { item: "pear", count: 1000 });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.retryable) console.log("has not run, try again"); // no such service now, over a limit, …
    else if (error.unknownOutcome) console.log("nobody knows whether it ran");
    else console.log("refused", `${error.name}: ${error.message}`);
  }
  console.log("event", ...(await placed));
  gateway.close();
}
