// The keys: the action of each of them, and the overlay that lists them.

import { element } from "./tables.js";

/** @typedef {() => boolean | void} Action It returns false if the key is left to the browser. */
/** @typedef {{keys: string[], shown: string, purpose: string, does: Action}} Binding */

export class Keyboard {
  /** @param {HTMLDialogElement} overlay */
  constructor(overlay) {
    this.overlay = overlay;
    /** @type {[string, Binding[]][]} */
    this.groups = [];
    /** @type {Map<string, () => boolean | void>} */
    this.actions = new Map();
    document.addEventListener("keydown", (event) => this.press(event));
    overlay.addEventListener("click", (event) => event.target === overlay && overlay.close());
  }

  /** @param {string} title @param {Binding[]} bindings */
  add(title, bindings) {
    this.groups.push([title, bindings]);
    for (const { keys, does } of bindings) for (const key of keys) this.actions.set(key, does);
  }

  toggleHelp() {
    if (this.overlay.open) {
      this.overlay.close();
      return;
    }
    const groups = this.groups.map(([title, bindings]) => {
      const section = element("section");
      const list = document.createElement("dl");
      for (const { shown, purpose } of bindings) {
        const keys = document.createElement("dt");
        for (const each of shown.split(" ")) keys.append(element("kbd", "", each));
        list.append(keys, element("dd", "", purpose));
      }
      section.append(element("h3", "", title), list);
      return section;
    });
    const body = element("div", "groups");
    body.append(...groups);
    this.overlay.replaceChildren(element("h2", "", "Keys"), body);
    this.overlay.showModal();
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const field =
      event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    // A browser's own shortcuts stay its own.
    if (field || event.ctrlKey || event.metaKey || event.altKey) return;
    if (this.overlay.open && event.key !== "?" && event.key !== "Escape") return;
    const action = this.actions.get(event.key);
    if (!action || action() === false) return;
    event.preventDefault();
  }
}
