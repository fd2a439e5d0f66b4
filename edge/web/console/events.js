// Events: topics that are subscribed to, what arrives, and publishing.

import { $, clockTime, element } from "./dom.js";

const mostEvents = 200;

export class Events {
  #socket; #topics = new Set();

  constructor(socket) {
    this.#socket = socket;
    $("subscribe").onsubmit = (event) => this.#subscribe(event);
    $("publish").onsubmit = (event) => this.#publish(event);
    $("clear").onclick = () => {
      $("events").replaceChildren();
      $("clear").hidden = true;
    };
  }

  // After each hello: a new session has no subscriptions.
  subscribeAgain() {
    for (const topic of this.#topics) this.#socket.call("subscribe", { topic }).catch((failure) => this.#ended(topic, failure));
  }

  show(topic, event, failed = false) {
    const line = element("li", "", failed ? { class: "bad" } : {});
    line.append(element("time", clockTime()), " ", element("b", topic), " ", typeof event === "string" && failed ? event : JSON.stringify(event));
    $("events").prepend(line);
    while ($("events").childElementCount > mostEvents) $("events").lastElementChild.remove();
    $("clear").hidden = false;
  }

  async #subscribe(event) {
    event.preventDefault();
    const topic = $("topic").value;
    try {
      await this.#socket.call("subscribe", { topic });
      this.#topics.add(topic);
      this.#list();
      $("events-state").textContent = "";
    } catch (failure) {
      this.#ended(topic, failure);
    }
  }

  async #publish(event) {
    event.preventDefault();
    const topic = $("event-topic").value;
    try {
      await this.#socket.call("event", { topic, event: JSON.parse($("event").value) });
      $("events-state").textContent = `published ${topic}, ${clockTime()}`;
      $("events-state").className = "good";
    } catch (failure) {
      this.#complain(failure instanceof SyntaxError ? `not sent: the event is not JSON (${failure.message})` : `${topic}: ${failure.message}`);
    }
  }

  #ended(topic, failure) {
    this.#topics.delete(topic);
    this.#list();
    this.#complain(`not subscribed to ${topic || "(no topic)"}: ${failure.message}`);
  }

  #complain(text) {
    $("events-state").textContent = text;
    $("events-state").className = "bad";
  }

  #list() {
    $("topics").replaceChildren(...[...this.#topics].map((topic) => {
      const button = element("button", `${topic} ✕`, { type: "button", title: "Unsubscribe", "aria-label": `Unsubscribe from ${topic}` });
      button.onclick = () => {
        this.#topics.delete(topic);
        this.#list();
        this.#socket.call("unsubscribe", { topic }).catch(() => {});
      };
      const item = element("li");
      item.append(button);
      return item;
    }));
  }
}
