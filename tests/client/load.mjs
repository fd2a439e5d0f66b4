// Requests without a pause, and what became of each; and what came on a topic.

export class Load {
  outcomes = {}; // id → [kind, outcome, …]: one more for each time that its promise was settled
  events = [];
  downs = 0;
  resumed = 0;
  others = [];
  #going = true;
  #ended = [];

  constructor(client, { service, topic, width = 6 }) {
    Object.assign(this, { client, service });
    client.on("down", () => this.downs++);
    client.on("open", ({ resumed }) => (this.resumed += resumed));
    for (const name of ["lost", "error", "close"]) client.on(name, (what) => this.others.push(`${name}: ${JSON.stringify(what)} ${what?.message}`));
    this.subscribed = client.subscribe(topic, (event) => this.events.push(event));
    for (let n = 0; n < width; n++) this.#ended.push(this.#ask(n));
  }

  async #ask(worker) {
    for (let n = 0; this.#going; n++) {
      const id = `${worker}-${n}`, idempotent = n % 2 === 0;
      const told = (this.outcomes[id] = [idempotent ? "idempotent" : "plain"]);
      await this.client.request(this.service, "run", { id }, { idempotent, ttl: 20000 }).then(
        (result) => told.push(result === id ? "done" : `wrong: ${JSON.stringify(result)}`),
        (error) => told.push(`${error.name}: ${error.message}`),
      );
    }
  }

  get done() {
    return Object.values(this.outcomes).filter((told) => told.length > 1).length;
  }
  async end() {
    this.#going = false;
    await Promise.all(this.#ended);
    const { outcomes, events, downs, resumed, others } = this;
    return { outcomes, events, downs, resumed, others: [...others] };
  }
}
