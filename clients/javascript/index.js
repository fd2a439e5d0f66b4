export { connect, Gateway, GatewayError, matches } from "./gateway.js";
export { connectSnorky, Service, Snorky } from "./snorky.js";
