// "My upgrade": the same verdict as `ckptmatrix upgrade`, sentence for sentence; a test compares them.
const LONGEST = 3;

function cross(writer, reader, view, scenarios) {
  const c = { writer, reader, whole: [], lost: new Map(), drifts: [], raised: new Map(), unmeasured: new Map(), causes: [], ranks: new Map(), total: scenarios.length, measured: 0, safe: true };
  const restored = new Set();
  for (const scenario of scenarios) {
    const name = raw.scenarios[scenario];
    const outcome = outcomeOf(view, scenario, writer.index, reader.index);
    if (!outcome || !isMeasured(outcome.status)) {
      c.unmeasured.set(name, outcome ? `${statusOf(outcome.status).name}: ${outcome.reason}` : "not in this run");
      continue;
    }
    c.measured += 1;
    c.ranks.set(name, { exact: 0, degraded: 1 }[statusOf(outcome.status).name] ?? 2);
    if (outcome.status !== raw.exact) c.safe = false;
    const status = statusOf(outcome.status).name;
    // What a load left behind that raised is not lost in silence.
    const returned = status === "exact" || status === "degraded";
    if (returned) for (const component of outcome.bad) c.lost.set(component, [...(c.lost.get(component) || []), name]);
    if (returned) for (const { name: component, verdict } of outcome.components) if (verdict === "restored") restored.add(component);
    if (status === "degraded" && !outcome.bad.length) c.drifts.push(name);
    if (status === "failed" && outcome.error) c.raised.set(name, `${outcome.error.type}: ${outcome.error.message}`.split("\n")[0]);
    else if (["failed", "crashed", "timeout"].includes(status)) c.raised.set(name, status);
    if (outcome.cause && !c.causes.includes(outcome.cause)) c.causes.push(outcome.cause);
  }
  c.whole = [...restored].filter((component) => !c.lost.has(component));
  c.answer = !c.measured ? "not-measured" : c.safe ? "safe" : "unsafe";
  return c;
}

const counted = (count, kind = "") => `${count} ${kind}scenario${count === 1 ? "" : "s"}`;

function ofMeasured(count, c) {
  if (c.measured === c.total) return count > 1 ? `all ${counted(count)}` : `the one scenario (${count} of 1)`;
  return `${count} of ${counted(c.total)}; ${c.total - c.measured} not measured`;
}

function waysBetween(writer, reader) {
  if (writer.stack === reader.stack) return `accelerate ${writer.release} into ${reader.release} on ${reader.stack}`;
  return `accelerate ${writer.release} on ${writer.stack} into ${reader.release} on ${reader.stack}`;
}

function verdictSentence(c) {
  if (c.answer === "not-measured") {
    const why = c.unmeasured.size ? [...c.unmeasured.values()][0] : "no scenario";
    return `Not measured: nothing is known of ${waysBetween(c.writer, c.reader)} (${why.replace(/\.+$/, "")}).`;
  }
  const ways = waysBetween(c.writer, c.reader);
  if (c.answer === "safe") return `Safe: ${ways} resumes exactly in ${ofMeasured(c.measured, c)}.`;
  const hurt = [];
  if (c.raised.size) hurt.push(`fails in ${c.raised.size}`);
  const silent = new Set([...[...c.lost.values()].flat(), ...c.drifts]).size;
  if (silent) hurt.push(`silently loses state in ${silent}`);
  return `Not safe: ${ways} ${hurt.join(" and ")} of ${counted(c.measured, "measured ")}.`;
}

// Ways round, every hop exact today; fewest stops, then fewest changes of stack, then newest releases.
// Only scenarios count that could be made whole at all: the old checkpoint resumes exactly somewhere,
// and somebody's does in the new environment.
function possible(writer, reader, scenarios) {
  const isExact = (scenario, w, r) => outcomeOf(0, scenario, w, r)?.status === raw.exact;
  return scenarios.filter((scenario) => environments.some((e) => isExact(scenario, writer.index, e.index))
    && environments.some((e) => isExact(scenario, e.index, reader.index)));
}

function bestPath(writer, reader, asked) {
  const scenarios = possible(writer, reader, asked);
  const exact = (a, b) => { const sum = sumUp(0, scenarios, a, b); return sum.measured > 0 && !sum.hurt; };
  const seen = new Set([writer.index]);
  let front = [[writer.index]];
  for (let length = 0; length <= LONGEST; length += 1) {
    const grown = [];
    for (const path of front) {
      for (const stop of environments) if (!seen.has(stop.index) && exact(path[path.length - 1], stop.index)) grown.push([...path, stop.index]);
    }
    const found = grown.filter((path) => path[path.length - 1] === reader.index);
    if (found.length && length === 0) return null;
    if (found.length) {
      const changes = (path) => path.slice(1).filter((stop, i) => environments[stop].stack !== environments[path[i]].stack).length;
      const newest = (a, b) => { for (let i = 1; i < a.length - 1; i += 1) if (a[i] !== b[i]) return b[i] - a[i]; return 0; };
      const stops = found.sort((a, b) => changes(a) - changes(b) || newest(a, b))[0];
      return { stops, scenarios };
    }
    for (const path of grown) seen.add(path[path.length - 1]);
    front = [...new Map(grown.map((path) => [path[path.length - 1], path])).values()];
  }
  return null;
}

function againstStaying({ forward, stay }) {
  const where = (differs) => [...forward.ranks].filter(([name, rank]) => stay.ranks.has(name) && differs(rank, stay.ranks.get(name))).map(([name]) => name);
  const worse = where((a, b) => a > b), better = where((a, b) => a < b);
  const told = [["worse", worse], ["better", better]].filter(([, names]) => names.length).map(([word, names]) => `${word} in ${names.join(", ")}`);
  if (!told.length) return "no different: what is lost or fails does so without the upgrade as well";
  return told.join("; ") + (worse.length + better.length < forward.measured ? "; else the same" : "");
}

function pathSentence(path, c) {
  const names = path.stops.map((stop) => environments[stop].name);
  const steps = names.slice(1, -1).map((stop) => `load in ${stop} and save again there`);
  const count = path.scenarios.length;
  const whole = count === c.total ? "every scenario" : `${count} of ${c.total} scenarios`;
  return `${[...steps, `load in ${names[names.length - 1]}`].join(", then ")}: exact in ${whole} (each hop measured on its own, the whole way not yet run)`;
}

const exactOf = (c) => [...c.ranks.values()].filter((rank) => rank === 0).length;
function remediesOf(forward, scenarios) {
  return raw.views.map((view, number) => ({ view, other: number ? cross(forward.writer, forward.reader, number, scenarios) : forward }))
    .filter(({ other }) => exactOf(other) > exactOf(forward))
    .map(({ view, other }) => ({ view, exact: exactOf(other), measured: other.measured }))
    .sort((a, b) => b.exact - a.exact);
}

function remedySentence(remedy, forward) {
  if (remedy.exact === remedy.measured) return `${remedy.view.title}: every measured scenario resumes exactly`;
  return `${remedy.view.title}: exact in ${remedy.exact} of ${counted(remedy.measured, "measured ")}, without it in ${exactOf(forward)}`;
}

// Scenarios of which the same is told, together.
function byValue(told) {
  const groups = new Map();
  for (const [name, value] of told) groups.set(value, [...(groups.get(value) || []), name]);
  return groups;
}

function advise(writer, reader, scenarios) {
  const forward = cross(writer, reader, 0, scenarios);
  const unsafe = forward.answer === "unsafe";
  return {
    forward,
    back: cross(reader, writer, 0, scenarios),
    stay: cross(writer, writer, 0, scenarios),
    remedies: unsafe ? remediesOf(forward, scenarios) : [],
    path: unsafe ? bestPath(writer, reader, scenarios) : null,
  };
}

const SIGNS = { safe: ["exact", "✓"], unsafe: ["degraded", "≠"], "not-measured": ["not-run", "?"] };

function showVerdict() {
  const writer = environmentById.get(state.from), reader = environmentById.get(state.to);
  const place = byId("verdict");
  if (!writer || !reader) { place.replaceChildren(); return; }
  const scenarios = shownScenarios();
  const advice = advise(writer, reader, scenarios);
  const { forward, back, stay, remedies, path } = advice;
  let [kind, sign] = SIGNS[forward.answer];
  if (forward.raised.size) [kind, sign] = ["failed", "✗"];
  const list = make("dl");
  const say = (term, ...told) => list.append(make("dt", {}, term), make("dd", {}, ...told));
  if (forward.answer === "unsafe" && stay.measured) say("Against staying", againstStaying(advice));
  if (forward.whole.length) say("Comes back whole", forward.whole.join(", "));
  const everywhere = (where) => (where.length === forward.measured && where.length > 1 ? "every scenario measured" : where.join(", "));
  const groups = new Map();
  for (const [name, where] of forward.lost) {
    const key = JSON.stringify([where, stay.lost.has(name)]);
    groups.set(key, [...(groups.get(key) || []), name]);
  }
  for (const [key, names] of groups) {
    const [where, already] = JSON.parse(key);
    say("Lost silently", make("strong", {}, names.join(", ")), ` in ${everywhere(where)}${already ? " (lost without the upgrade as well)" : ""}`);
  }
  for (const name of forward.drifts) say("Differs afterwards", `${name}: all came back, the training after it differs`);
  for (const [message, where] of byValue(forward.raised)) say("Fails", make("strong", {}, message), raw.scenarios.length > 1 ? ` in ${everywhere(where)}` : "");
  for (const [why, where] of byValue(forward.unmeasured)) say("Not measured", `${where.join(", ")}: ${why}`);
  for (const id of forward.causes) {
    const cause = raw.causes[id];
    if (cause) { say("Because", ...prose(cause.title)); say("Remedy", ...prose(cause.remedy)); }
  }
  for (const remedy of remedies) say("Measured remedy", make("strong", {}, remedySentence(remedy, forward)));
  if (path) say("A way round", pathSentence(path, forward));
  say("The way back", keyOf(back.answer === "safe" ? raw.exact : numberOf(back.answer === "not-measured" ? "not-run" : back.raised.size ? "failed" : "degraded")), ` ${verdictSentence(back)}`);
  const look = make("button", { type: "button", class: "link", onclick: () => openCell(writer, reader) }, "Every detail of this load");
  place.replaceChildren(
    make("p", { class: `verdict ${kind}` }, make("span", { class: "sign", "aria-hidden": "true" }, sign), make("span", {}, verdictSentence(forward))),
    list, make("p", {}, look));
}

let answered = "";
function setUpUpgrade() {
  const form = byId("upgrade-form");
  const fields = ["from", "to"].map((side) => [side, form.elements[`${side}-release`], form.elements[`${side}-stack`]]);
  for (const [, release, stack] of fields) {
    release.append(...raw.releases.map((name) => make("option", {}, name)));
    stack.append(...raw.stacks.map((name) => make("option", {}, name)));
  }
  const scenario = form.elements["upgrade-scenario"];
  scenario?.append(make("option", { value: "" }, "all"), ...raw.scenarios.map((name) => make("option", { value: name }, name)));
  form.addEventListener("change", () => {
    if (scenario) state.scenario = scenario.value;
    for (const [side, release, stack] of fields) state[side] = `accelerate-${release.value}+${stack.value}`;
    refresh();
  });
  byId("swap").addEventListener("click", () => { [state.from, state.to] = [state.to, state.from]; refresh(); });
  return () => {
    const newest = environments.filter((environment) => environment.ready).pop() || environments[environments.length - 1];
    if (newest && !environmentById.has(state.to)) state.to = newest.id;
    if (newest && !environmentById.has(state.from)) {
      const older = environments.filter((e) => e.ready && e.stack === newest.stack && e.index < newest.index).pop();
      state.from = (older || newest).id;
    }
    for (const [side, release, stack] of fields) {
      const chosen = environmentById.get(state[side]);
      if (chosen) { release.value = chosen.release; stack.value = chosen.stack; }
    }
    if (scenario) scenario.value = state.scenario;
    const asked = [state.from, state.to, state.scenario].join();
    if (asked !== answered) showVerdict();
    answered = asked;
  };
}
