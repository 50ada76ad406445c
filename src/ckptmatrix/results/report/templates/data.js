"use strict";
// The measured outcomes, unpacked from the compact form that payload.py and payload_records.py write.
const root = document.documentElement;
const raw = JSON.parse(document.getElementById("data").textContent);
const text = (number) => raw.texts[number];

const environments = raw.environments.map((packed, index) => ({
  ...packed, index, release: raw.releases[packed.release], releaseIndex: packed.release, stack: raw.stacks[packed.stack],
  id: `accelerate-${raw.releases[packed.release]}+${raw.stacks[packed.stack]}`,
  name: `accelerate ${raw.releases[packed.release]} on ${raw.stacks[packed.stack]}`,
}));
const environmentById = new Map(environments.map((environment) => [environment.id, environment]));

// A record is an array of values; raw.fields names them in order, and says which are numbers of texts.
const recordOf = (fields) => (values) => {
  const made = {};
  for (let i = 0; i < fields.length; i += 1) made[fields[i][0]] = fields[i][1] === "text" ? text(values[i]) : values[i];
  return made;
};
const read = Object.fromEntries(Object.entries(raw.fields).map(([kind, fields]) => [kind, recordOf(Object.entries(fields))]));
// What outcomes have in common is made once: a part is shared by all that name it.
const sharing = (make) => {
  const made = new Map();
  return (number) => {
    if (!made.has(number)) made.set(number, make(raw.parts[number]));
    return made.get(number);
  };
};
const componentsOf = sharing((part) => part.map(read.component));
const badOf = sharing((part) => part.map(read.component).filter(({ verdict }) => raw.bad.includes(verdict)).map(({ name }) => name));
const differencesOf = sharing((part) => new Map(part.map(read.difference).map((found) => [found.name, found])));
const errorOf = sharing((part) => part && read.error(part));
const swallowedOf = sharing((part) => part.map(read.error));
const firstOf = sharing((part) => part && read.first(part));
const outcomes = raw.outcomes.map((values) => {
  const packed = read.outcome(values);
  return {
    ...packed, components: componentsOf(packed.components), bad: badOf(packed.components), differences: differencesOf(packed.differences),
    error: errorOf(packed.error), swallowed: swallowedOf(packed.swallowed), first: firstOf(packed.first),
  };
});

const unpacked = raw.rows.map((runs) => {
  const row = new Int32Array(environments.length);
  for (let at = 0, i = 0; i < runs.length; i += 2) { row.fill(runs[i], at, at + runs[i + 1]); at += runs[i + 1]; }
  return row;
});
// Number of the outcome of one load; -1 if the run has no such cell.
const outcomeNumber = (view, scenario, writer, reader) => unpacked[raw.grid[view][scenario][writer]][reader];
const outcomeOf = (view, scenario, writer, reader) => outcomes[outcomeNumber(view, scenario, writer, reader)];

const statusOf = (number) => raw.statuses[number];
const isMeasured = (number) => raw.statuses[number].measured;

const numberOf = (name) => raw.statuses.findIndex((status) => status.name === name);
const NOT_RUN = numberOf("not-run");

const allScenarios = raw.scenarios.map((_, index) => index);
const span = (names) => (names.length === 1 ? names[0] : `${names[0]}–${names[names.length - 1]}`);
const digits = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");

// Makes an element; texts become text nodes, so nothing out of a checkpoint is ever markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
const keyOf = (number) => make("span", { class: `key ${statusOf(number).name}`, "aria-hidden": "true" }, statusOf(number).glyph);
const link = (url) => (/^https?:\/\//.test(url) ? make("a", { href: url, rel: "noreferrer" }, url.replace("https://github.com/", "")) : url);
// Texts of the catalogue have code between backticks.
const prose = (said) => { const parts = said.split("`"); return parts.length % 2 ? parts.map((part, i) => (i % 2 ? make("code", {}, part) : part)) : [said]; };
const byId = (id) => document.getElementById(id);

// Everything that the address says, and that says everything about what is shown.
const ALL = "*"; // every scenario, where the grid first shows one
const CHOSEN = "+"; // the several that are asked about
const DEFAULTS = { view: 0, scenario: "", judge: "", from: "", to: "", hide: "", direction: "", saved: "", loaded: "", cause: "", unfold: "", changed: "", cell: "", tab: "" };
const state = { ...DEFAULTS };
const FOLLOWING = ["scenario", "saved", "loaded"]; // as the question says, until they are chosen
let follow = {};
function readAddress() {
  const found = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(DEFAULTS)) state[name] = found.has(name) ? found.get(name) : DEFAULTS[name];
  state.view = Math.min(Math.max(Number(state.view) || 0, 0), raw.views.length - 1);
  state.judge = state.judge.split(",").filter((name) => raw.scenarios.includes(name)).join(",");
  ponder();
  follow = followed();
  const may = { scenario: [...raw.scenarios, ALL, CHOSEN], saved: [...raw.stacks, ""], loaded: [...raw.stacks, ""] };
  for (const name of FOLLOWING) if (!found.has(name) || !may[name].includes(state[name])) state[name] = follow[name];
  if (state.cell.split("~").length !== 2 || !state.cell.split("~").every((id) => environmentById.has(id))) state.cell = "";
}
// Another question: the grid begins anew with what it asks about.
function followQuestion() {
  ponder();
  const before = follow;
  follow = followed();
  for (const name of FOLLOWING) if (before[name] !== follow[name]) state[name] = follow[name];
}
function writeAddress() {
  const chosen = new URLSearchParams();
  const usual = { ...DEFAULTS, ...follow };
  for (const [name, value] of Object.entries(state)) if (String(value) !== String(usual[name])) chosen.set(name, value);
  const hash = chosen.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}
const numbersOf = (names) => names.map((name) => raw.scenarios.indexOf(name)).filter((number) => number >= 0);
const judgedScenarios = () => (state.judge ? numbersOf(state.judge.split(",")) : allScenarios);
const shownScenarios = () => (state.scenario === CHOSEN ? judgedScenarios() : state.scenario === ALL ? allScenarios : numbersOf([state.scenario]));
