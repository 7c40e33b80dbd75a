/**
 * The live face with its sliders, as a Streamlit component.
 *
 * data: {viewer: address of the viewer's module, glb: address, key: changes when glb does,
 *   groups: [{part, sliders: [{name, low, high, minimum, maximum, value}]}], locked: [name],
 *   worn: [name], label}. Slider values are absolute; a morph target of the same name is moved by the
 * difference while dragging, so nothing is asked of the server. Triggers: "moved" {slider, from, to}
 * on release; "toggled" {locked: [name]}. The word "value" of a slider that has no
 * target (a colour, hair) is shown after release.
 */
const mounted = new WeakMap();

export default function component({ data, parentElement, setTriggerValue }) {
  let panel = mounted.get(parentElement);
  if (panel === undefined) {
    panel = new Panel(parentElement.querySelector("[data-panel]"));
    mounted.set(parentElement, panel);
  }
  panel.tell = { trigger: setTriggerValue };
  panel.show(data);
  return () => {
    panel.dispose();
    mounted.delete(parentElement);
  };
}

class Panel {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(`[data-${name}]`);
    this.key = null;
    this.rows = new Map();
    this.view = null;
    this.drawn = "";
    this.light = { light: 1, lightYaw: -38 };
    this.listen();
  }

  listen() {
    this.find("search").addEventListener("input", () => this.filter());
    this.find("light").addEventListener("input", (event) => this.option({ light: Number(event.target.value) }));
    this.find("side").addEventListener("input", (event) => this.option({ lightYaw: Number(event.target.value) }));
    this.find("home").addEventListener("click", () => this.view?.home());
    this.find("wire").addEventListener("click", (event) => this.option({ wireframe: pressed(event.currentTarget) }));
    this.find("bare").addEventListener("click", (event) =>
      this.option({ hidden: pressed(event.currentTarget) ? this.data.worn : [] }),
    );
    this.find("calm").addEventListener("click", (event) => {
      const neutral = pressed(event.currentTarget);
      if (this.view === null) return;
      if (neutral) this.view.setWeights(Object.fromEntries(this.expressions.map(({ name }) => [name, 0])));
      else this.view.setWeights(Object.fromEntries(this.expressions.map(({ name, weight }) => [name, weight])));
    });
  }

  option(options) {
    this.view?.update(options);
  }

  async show(data) {
    this.data = data;
    this.draw(data);
    if (data.key === this.key) return;
    this.key = data.key;
    const mine = data.key;
    const begun = performance.now();
    this.find("busy").hidden = false;
    try {
      if (this.view === null) {
        const { mount } = await import(new URL(data.viewer, document.baseURI).href);
        if (this.view === null) this.view = mount(this.find("view"), null, { background: "studio", label: data.label });
      }
      await this.view.load(new URL(data.glb, document.baseURI).href);
      if (mine !== this.key) return;
      this.view.resetWeights();
      this.view.update({ label: data.label });
      this.expressions = this.view.targets().filter(({ name }) => !this.rows.has(name));
      this.root.dataset.milliseconds = Math.round(performance.now() - begun);
      this.root.dataset.shown = data.key;
      this.find("error").textContent = "";
    } catch (error) {
      this.find("error").textContent = `The 3D view cannot be shown: ${error.message}. The picture in the chat still holds.`;
    } finally {
      this.find("busy").hidden = true;
    }
  }

  draw(data) {
    const wanted = JSON.stringify(data.groups.map(({ part, sliders }) => [part, sliders.map(({ name }) => name)]));
    if (wanted !== this.drawn) {
      this.drawn = wanted;
      this.rows.clear();
      this.find("search").hidden = data.groups.length === 0;
      this.find("groups").replaceChildren(...data.groups.map((group) => this.group(group)));
      this.filter();
    }
    for (const { sliders } of data.groups) for (const slider of sliders) this.set(slider);
    for (const [name, row] of this.rows) this.lock(row, data.locked.includes(name));
  }

  group({ part, sliders }) {
    const box = element("details", { className: "part" });
    box.append(element("summary", { textContent: `${part} ` }, [element("small", { textContent: sliders.length })]));
    for (const slider of sliders) box.append(this.row(slider));
    return box;
  }

  row(slider) {
    const input = element("input", {
      type: "range", min: slider.minimum, max: slider.maximum, step: 0.05, ariaLabel: slider.name,
    });
    const value = element("output", {});
    const lock = element("button", { type: "button", className: "lock", title: "Keep this as it is", ariaLabel: `lock ${slider.name}` });
    const reset = element("button", { type: "button", className: "reset", title: "Back to average", textContent: "↺", ariaLabel: `reset ${slider.name}` });
    const row = { input, value, lock, reset, at: 0, slider, box: element("div", { className: "row" }) };
    const head = element("div", { className: "head" }, [element("span", { textContent: slider.name, className: "name" }), value, reset, lock]);
    const ends = element("div", { className: "ends" }, [
      element("span", { textContent: slider.low }), element("span", { textContent: slider.high }),
    ]);
    row.box.append(head, input, ends);
    input.addEventListener("input", () => this.drag(row));
    input.addEventListener("change", () => this.release(row));
    lock.addEventListener("click", () => this.toggle(slider.name));
    reset.addEventListener("click", () => {
      if (input.disabled) return;
      input.value = 0;
      this.drag(row);
      this.release(row);
    });
    this.rows.set(slider.name, row);
    return row.box;
  }

  set(slider) {
    const row = this.rows.get(slider.name);
    row.slider = slider;
    row.at = slider.value;
    if (document.activeElement !== row.input || this.key !== this.data.key) row.input.value = slider.value;
    row.value.textContent = signed(slider.value);
    this.fill(row);
  }

  lock(row, locked) {
    row.input.disabled = locked;
    row.reset.disabled = locked;
    row.lock.textContent = locked ? "locked" : "lock";
    row.lock.setAttribute("aria-pressed", locked);
    row.box.classList.toggle("locked", locked);
  }

  toggle(name) {
    const locked = this.data.locked.includes(name)
      ? this.data.locked.filter((other) => other !== name)
      : [...this.data.locked, name];
    this.data = { ...this.data, locked };
    this.lock(this.rows.get(name), locked.includes(name));
    this.tell.trigger("toggled", { locked });
  }

  drag(row) {
    const to = Number(row.input.value);
    row.value.textContent = signed(to);
    this.fill(row);
    this.view?.setWeights({ [row.slider.name]: to - row.at });
  }

  release(row) {
    const to = Number(row.input.value);
    if (Math.abs(to - row.at) < 0.01) return;
    this.tell.trigger("moved", { slider: row.slider.name, from: row.at, to, face: this.data.face });
  }

  fill(row) {
    const { minimum, maximum } = row.slider;
    const share = (at) => `${(100 * (at - minimum)) / (maximum - minimum)}%`;
    const now = Number(row.input.value);
    row.input.style.setProperty("--from", share(Math.min(0, now)));
    row.input.style.setProperty("--to", share(Math.max(0, now)));
  }

  filter() {
    const wanted = this.find("search").value.trim().toLowerCase();
    let found = 0;
    for (const box of this.root.querySelectorAll(".part")) {
      const part = box.querySelector("summary").textContent.toLowerCase();
      let inside = 0;
      for (const row of this.rows.values()) {
        if (!box.contains(row.box)) continue;
        const { name, low, high } = row.slider;
        const hit = !wanted || `${part} ${name} ${low} ${high}`.toLowerCase().includes(wanted);
        row.box.hidden = !hit;
        inside += hit ? 1 : 0;
      }
      box.hidden = inside === 0;
      if (wanted) box.open = inside > 0;
      found += inside;
    }
    this.find("none").hidden = found > 0 || this.rows.size === 0;
  }

  dispose() {
    this.view?.dispose();
    this.view = null;
  }
}

function pressed(button) {
  const now = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", now);
  return now;
}

function signed(value) {
  return Math.abs(value) < 0.005 ? "0" : `${value > 0 ? "+" : "−"}${Math.abs(value).toFixed(2)}`;
}

function element(tag, properties, children = []) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
