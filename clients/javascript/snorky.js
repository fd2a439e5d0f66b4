// Snorky's services at /ws (docs/tasks/snorky.md): channels that come back with the socket.

import { Connection, GatewayError } from "./connection.js";

export { GatewayError };

export const connectSnorky = (url, options) => new Snorky(url, options);

/** Channels are equal by value, whatever the order of their members. */
const keyOf = (channel) =>
  JSON.stringify(channel, (_, value) =>
    value?.constructor === Object ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value,
  );
const failure = (message) => ({ error: "SnorkyError", description: message, outcome: /may have run/.test(message) ? "unknown" : "" });

export class Snorky extends Connection {
  #services = new Map();

  /** One of the gateway's services, by the name that it has in services.toml. */
  service(name) {
    if (!this.#services.has(name)) this.#services.set(name, new Service(this, name));
    return this.#services.get(name);
  }

  _busy() {
    return this._calls.size || [...this.#services.values()].some((service) => service._channels.size);
  }
  _probe(ttl) {
    return this.service("gateway").call("probe", {}, { ttl });
  }
  _opened() {
    this._ready({});
    for (const service of this.#services.values()) service._renew();
  }
  _lost(code) {
    // Who was thrown out before its first answer by a verdict on it was never listened to.
    if (!this._heard && code >= 4000) for (const call of this._calls.values()) call.sent = 0;
    this._forsake();
  }
  _ended() {}

  _take({ service, message }) {
    this._attempt = 0;
    const { type, callId } = message ?? {};
    const call = this._calls.get(callId);
    if (call && type === "response") call.done(message.data);
    else if (call && type === "error") call.fail(failure(message.message));
    else if (type === "error") this._emit("error", new GatewayError(failure(message.message)));
    else if (service === "gateway") this._emit("message", message);
    else this.#services.get(service)?._notify(message);
  }
}

export class Service {
  _channels = new Map(); // key → {channel, listeners, on}
  #listeners = new Set();

  constructor(snorky, name) {
    this.snorky = snorky;
    this.name = name;
  }

  /** Any command of the service. */
  call(command, params = {}, options) {
    return this.snorky._call((callId) => ({ service: this.name, message: { command, params, callId } }), options);
  }
  publish(channel, message, options) {
    return this.call("publish", { channel, message }, options);
  }

  /** The listener gets what is published to the channel, over lost sockets too, until the returned function is called. */
  async subscribe(channel, listener, options) {
    const key = keyOf(channel), mine = { listener };
    let entry = this._channels.get(key);
    if (!entry) {
      this._channels.set(key, (entry = { channel, listeners: new Set() }));
      entry.ready = this.#subscribe(channel, options).then(
        () => (entry.on = true),
        (error) => {
          if (this._channels.get(key) === entry) this._channels.delete(key);
          throw error;
        },
      );
    }
    entry.listeners.add(mine);
    await entry.ready;
    return async () => {
      if (!entry.listeners.delete(mine) || entry.listeners.size || this._channels.get(key) !== entry) return;
      this._channels.delete(key);
      if (this.snorky.state === "open") await this.call("unsubscribe", { channel }).catch(() => {});
    };
  }
  #subscribe(channel, options) {
    return this.call("subscribe", { channel }, { ...options, idempotent: true }).catch((error) => {
      if (error.message !== "Already subscribed") throw error;
    });
  }

  /** Notifications of every kind: message, presence, read. */
  on(listener) {
    const entry = { listener };
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }

  _notify(message) {
    const { type, channel } = message;
    const entry = type === "message" && channel !== undefined && this._channels.get(keyOf(channel));
    if (entry) for (const { listener } of [...entry.listeners]) this.snorky._tell(listener, message.message, channel);
    for (const { listener } of [...this.#listeners]) this.snorky._tell(listener, message);
  }
  _renew() {
    for (const [key, entry] of this._channels) {
      if (!entry.on) continue; // its first call is still to be answered, and goes again by itself
      this.#subscribe(entry.channel).catch((error) => {
        if (error.unknownOutcome || error.retryable || this._channels.get(key) !== entry) return; // the next socket tries again
        this._channels.delete(key);
        this.snorky._emit("error", error);
      });
    }
  }
}
