// Calls, through a form made from what a service says of itself (nuropb_describe).

import { $, element } from "./dom.js";
import { CallFailure } from "./socket.js";
import { asJavaScript, asPython } from "./snippets.js";

const titles = { "not sent": "not sent", error: "error", unknown: "outcome unknown: it may have run", cancelled: "cancelled" };

export class Calls {
  #socket; #url; #methods = {}; #service = ""; #running;
  took = [];  // how long the calls of this page took, ms, since the charts last asked

  constructor(socket, url) {
    this.#socket = socket;
    this.#url = url;
    $("describe").onsubmit = (event) => this.#guard(event, () => this.#describe());
    $("call").onsubmit = (event) => this.#guard(event, () => this.#call());
    $("cancel").onclick = () => this.#running?.abort();
    $("method").onchange = () => this.#fields();
    $("copy-js").onclick = () => this.#copy(asJavaScript);
    $("copy-python").onclick = () => this.#copy(asPython);
  }

  async #guard(event, work) {
    event.preventDefault();
    try {
      await work();
    } catch (failure) {
      if (!(failure instanceof CallFailure)) throw failure;
      this.#show("error", `${titles[failure.kind]}: ${failure.message}`);
    }
  }

  #show(kind, title, ...value) {
    $("answer").hidden = false;
    $("answer").dataset.kind = kind;
    $("answer").textContent = [title, ...value.map((one) => JSON.stringify(one, null, 2))].join("\n");
  }

  // Says what is waited for, and lets the user give up waiting.
  async #wait(what, method, params) {
    this.#running?.abort();
    const mine = this.#running = new AbortController(), begun = performance.now();
    const tick = setInterval(() => this.#show("busy", `waiting for ${what}, ${((performance.now() - begun) / 1000).toFixed(0)} s`), 1000);
    this.#show("busy", `waiting for ${what}`);
    $("cancel").hidden = false;
    try {
      const result = await this.#socket.call("request", { service: this.#service, method, params }, mine.signal);
      return [result, performance.now() - begun];
    } finally {
      clearInterval(tick);
      if (this.#running === mine) $("cancel").hidden = true;
    }
  }

  async #describe() {
    // A form of a former service must not stay, or it would call that one under the name of this one.
    $("call").hidden = true;
    this.#service = $("service").value;
    const [described] = await this.#wait(`${this.#service}, which describes itself`, "nuropb_describe", {});
    this.#methods = described?.methods ?? {};
    $("method").replaceChildren(...Object.keys(this.#methods).map((name) => element("option", name)));
    $("call").hidden = false;
    $("answer").hidden = true;
    this.#fields();
  }

  async #call() {
    const params = this.#params(), method = $("method").value;
    const [result, ms] = await this.#wait(`${this.#service}.${method}`, method, params);
    this.took.push(ms);
    this.#show("ok", `answer, ${ms.toFixed(1)} ms`, result);
  }

  #params() {
    try {
      return JSON.parse($("raw").value);
    } catch (mistake) {
      throw new CallFailure("not sent", "the params are not JSON", mistake.message);
    }
  }

  async #copy(snippet) {
    let text;
    try {
      text = snippet(this.#url, this.#service, $("method").value, this.#params());
      await navigator.clipboard.writeText(text);
      this.#show("ok", "copied to the clipboard\n" + text);
    } catch (failure) {
      // Without HTTPS browsers have no clipboard for pages of other hosts: then the text is there to be copied by hand.
      if (text) this.#show("ok", text);
      else this.#show("error", failure.message);
    }
  }

  #parameters() {
    const described = this.#methods[$("method").value]?.parameters ?? {};
    const listed = Array.isArray(described.properties) ? described.properties : Object.entries(described.properties ?? {});
    return { listed, required: new Set(described.required ?? []) };
  }

  #fields() {
    const { listed, required } = this.#parameters();
    $("method-text").textContent = this.#methods[$("method").value]?.description ?? "";
    $("fields").replaceChildren();
    for (const [name, { type = "any", description = "", default: preset } = {}] of listed) {
      const flag = type === "boolean";
      const input = element("input", "", { id: `field-${name}`, "data-name": name, "data-type": type, type: flag ? "checkbox" : "text" });
      if (flag) input.checked = preset === true;
      else if (preset !== undefined && preset !== null && preset !== "") input.value = typeof preset === "string" ? preset : JSON.stringify(preset);
      const label = element("label", `${name}: ${type}${required.has(name) ? "" : " (optional)"} ${description}`, { for: input.id });
      $("fields").append(label, input);
      input.oninput = () => this.#compose();
    }
    this.#compose();
  }

  // The JSON below the fields is what is sent, and may be changed by hand.
  #compose() {
    const { required } = this.#parameters();
    const params = {};
    for (const input of $("fields").querySelectorAll("input")) {
      const text = /^(str|string)/.test(input.dataset.type);
      if (input.type === "checkbox") params[input.dataset.name] = input.checked;
      else if (input.value !== "" || (required.has(input.dataset.name) && text)) params[input.dataset.name] = text ? input.value : parsed(input.value);
    }
    $("raw").value = JSON.stringify(params);
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
