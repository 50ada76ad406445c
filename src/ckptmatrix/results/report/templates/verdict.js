// "My upgrade": the same verdict as `ckptmatrix upgrade`, sentence for sentence; a test compares them.
function cross(writer, reader, view, scenarios) {
  const c = { writer, reader, whole: [], lost: new Map(), drifts: [], raised: new Map(), unmeasured: new Map(), because: new Map(), ranks: new Map(), total: scenarios.length, measured: 0, safe: true };
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
    if (outcome.cause) c.because.set(name, outcome.cause);
  }
  c.whole = [...restored].filter((component) => !c.lost.has(component));
  c.hurt = [...c.ranks].filter(([, rank]) => rank).map(([name]) => name);
  c.losses = (scenario) => [...c.lost].filter(([, where]) => where.includes(scenario)).map(([component]) => component);
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
// and some checkpoint does in the new environment.
function possible(writer, reader, scenarios) {
  const isExact = (scenario, w, r) => outcomeOf(0, scenario, w, r)?.status === raw.exact;
  return scenarios.filter((scenario) => environments.some((e) => isExact(scenario, writer.index, e.index))
    && environments.some((e) => isExact(scenario, e.index, reader.index)));
}

function bestDetour(writer, reader, asked) {
  const scenarios = possible(writer, reader, asked);
  const exact = (a, b) => {
    const measured = scenarios.map((scenario) => outcomeOf(0, scenario, a, b)).filter((outcome) => outcome && isMeasured(outcome.status));
    return measured.length > 0 && measured.every((outcome) => outcome.status === raw.exact);
  };
  const seen = new Set([writer.index]);
  let front = [[writer.index]];
  for (let length = 0; length <= raw.limits.stops; length += 1) {
    const grown = [];
    for (const way of front) {
      for (const stop of environments) if (!seen.has(stop.index) && exact(way[way.length - 1], stop.index)) grown.push([...way, stop.index]);
    }
    const found = grown.filter((way) => way[way.length - 1] === reader.index);
    if (found.length && length === 0) return null;
    if (found.length) {
      const changes = (way) => way.slice(1).filter((stop, i) => environments[stop].stack !== environments[way[i]].stack).length;
      const newest = (a, b) => { for (let i = 1; i < a.length - 1; i += 1) if (a[i] !== b[i]) return b[i] - a[i]; return 0; };
      const stops = found.sort((a, b) => changes(a) - changes(b) || newest(a, b))[0];
      return { stops, scenarios };
    }
    for (const way of grown) seen.add(way[way.length - 1]);
    front = [...new Map(grown.map((way) => [way[way.length - 1], way])).values()];
  }
  return null;
}

// What the upgrade makes worse, what better, and what is not exact but no better without it.
function blame(forward, stay) {
  const same = (name) => forward.ranks.get(name) === stay.ranks.get(name);
  const losesMore = (name) => { const [now, before] = [forward.losses(name), stay.losses(name)]; return now.length > before.length && before.every((one) => now.includes(one)); };
  const known = [...forward.ranks.keys()].filter((name) => stay.ranks.has(name));
  const worse = known.filter((name) => forward.ranks.get(name) > stay.ranks.get(name) || (forward.ranks.get(name) && same(name) && losesMore(name)));
  const better = known.filter((name) => forward.ranks.get(name) < stay.ranks.get(name));
  const asBefore = forward.hurt.filter((name) => stay.ranks.has(name) && !worse.includes(name));
  return { worse, better, asBefore, byUpgrade: forward.hurt.filter((name) => !asBefore.includes(name)) };
}

function decisionSentence({ forward, asBefore, byUpgrade }) {
  const sentence = verdictSentence(forward);
  if (!asBefore.length) return sentence;
  if (!byUpgrade.length) return sentence.replace("Not safe:", "Not safe, but no worse than staying:");
  return `${sentence.replace(/\.$/, "")}; ${asBefore.length} of these ${forward.hurt.length} are no better without the upgrade.`;
}

function plainTraining(c) {
  if (c.total === 1 || !c.ranks.has(raw.plain)) return "";
  const where = `(scenario ${raw.plain})`;
  if (!c.ranks.get(raw.plain)) return `resumes exactly ${where}`;
  if (c.raised.has(raw.plain)) return `fails: ${shortened(c.raised.get(raw.plain))} ${where}`;
  const lost = c.losses(raw.plain);
  return lost.length ? `silently loses ${lost.join(", ")} ${where}` : `comes back whole, but goes on otherwise ${where}`;
}

const shortened = (message) => (message.length <= raw.limits.message ? message : `${message.slice(0, raw.limits.message - 1).trimEnd()}…`);

function againstStaying({ forward, worse, better }) {
  const parts = [["worse", worse], ["better", better]].filter(([, names]) => names.length).map(([word, names]) => `${word} in ${names.join(", ")}`);
  if (!parts.length) return "no different: what is lost or fails does so without the upgrade as well";
  return parts.join("; ") + (worse.length + better.length < forward.measured ? "; else the same" : "");
}

function detourSentence(detour, c) {
  const names = detour.stops.map((stop) => environments[stop].name);
  const steps = names.slice(1, -1).map((stop) => `load in ${stop} and save again there`);
  const count = detour.scenarios.length;
  const whole = count === c.total ? "every scenario" : `${count} of ${c.total} scenarios`;
  return `${[...steps, `load in ${names[names.length - 1]}`].join(", then ")}: exact in ${whole} (each hop measured on its own, the whole way not yet run)`;
}

// Counts are of the scenarios that are not exact today: elsewhere a run need not measure a remedy.
function remediesOf(forward, scenarios) {
  return raw.views.map((view, number) => ({ view, number })).slice(1).map(({ view, number }) => {
    const { ranks } = cross(forward.writer, forward.reader, number, scenarios);
    return {
      view, of: forward.hurt.length, makesExact: forward.hurt.filter((name) => ranks.get(name) === 0),
      harms: [...forward.ranks].filter(([name, rank]) => rank === 0 && ranks.get(name)).map(([name]) => name),
    };
  }).filter(({ makesExact }) => makesExact.length).sort((a, b) => b.makesExact.length - a.makesExact.length);
}

function remedySentence({ view, makesExact, of, harms }) {
  const harm = harms.length ? `; but no longer exact in ${harms.join(", ")}` : "";
  if (makesExact.length === of) return `${view.title}: every scenario that is not exact without it resumes exactly${harm}`;
  const which = makesExact.length <= raw.limits.named ? ` (${makesExact.join(", ")})` : "";
  return `${view.title}: ${makesExact.length} of the ${of} scenarios that are not exact without it resume exactly${which}${harm}`;
}

// Scenarios with the same text together: [scenario, text] pairs become text -> scenarios.
function groupedByText(texts) {
  const groups = new Map();
  for (const [name, text_] of texts) groups.set(text_, [...(groups.get(text_) || []), name]);
  return groups;
}

function advise(writer, reader, scenarios) {
  const forward = cross(writer, reader, 0, scenarios);
  const stay = cross(writer, writer, 0, scenarios);
  const unsafe = forward.answer === "unsafe";
  return {
    forward, stay, ...blame(forward, stay),
    back: cross(reader, writer, 0, scenarios),
    remedies: unsafe ? remediesOf(forward, scenarios) : [],
    detour: unsafe ? bestDetour(writer, reader, scenarios) : null,
  };
}
