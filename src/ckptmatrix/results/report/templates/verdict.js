// The verdict on an upgrade, by comparison with staying: sentence for sentence that of `ckptmatrix upgrade`,
// which a test compares. Which load is worse, and what may be kept, is worked out in payload_verdict.py.
const rules = raw.verdict;
const kindOf = (view, scenario, writer, reader) => rules.kinds[unpacked[raw.staying[view][scenario][writer]][reader]];
const returned = (outcome) => ["exact", "degraded"].includes(statusOf(outcome.status).name);
const lostOf = (outcome) => (returned(outcome) ? [...outcome.bad].sort() : []);
const measuredOf = (outcome) => (outcome && isMeasured(outcome.status) ? outcome : null);
const baseOf = (component) => component.split("@")[0];

function judged(writer, reader, view, scenario) {
  const stay = outcomeOf(0, scenario, writer.index, writer.index);
  const now = measuredOf(outcomeOf(view, scenario, writer.index, reader.index)) || outcomeOf(0, scenario, writer.index, reader.index);
  const against = kindOf(view, scenario, writer.index, reader.index);
  const status = now && statusOf(now.status).name;
  const shown = new Map([stay, now].filter(measuredOf).flatMap((one) => one.components).map(({ name, verdict }) => [name, verdict]));
  const lost = measuredOf(now) ? lostOf(now) : [];
  const before = measuredOf(stay) ? lostOf(stay) : [];
  const raised = !["failed", "crashed", "timeout"].includes(status) ? ""
    : status === "failed" && now.error ? `${now.error.type}: ${now.error.message}`.split("\n")[0].trimEnd() : status;
  const why = (outcome) => (outcome ? `${statusOf(outcome.status).name}: ${outcome.reason}`.replace(/\.+$/, "") : "not in this run");
  return {
    name: raw.scenarios[scenario], against, stay: measuredOf(stay), now, lost, raised, exact: status === "exact",
    newlyLost: against === "worse" && measuredOf(stay) ? lost.filter((name) => !before.includes(name)) : [],
    components: [...shown].filter(([, verdict]) => !["absent", "unsaved"].includes(verdict)).map(([name]) => name),
    unsaved: [...shown].filter(([, verdict]) => verdict === "unsaved").map(([name]) => name),
    restored: measuredOf(now) && !raised ? now.components.filter(({ verdict }) => verdict === "restored").map(({ name }) => name) : [],
    drifts: status === "degraded" && !lost.length,
    whyNot: against !== "not-measured" ? "" : measuredOf(now) ? `staying was not measured (${why(stay)})` : why(now),
  };
}

function cross(writer, reader, view, scenarios) {
  const all = scenarios.map((scenario) => judged(writer, reader, view, scenario));
  const of = (...kinds) => all.filter(({ against }) => kinds.includes(against)).map(({ name }) => name);
  const measured = all.filter(({ against }) => against !== "not-measured");
  const causes = new Map();
  for (const { against, now, name } of all) if (against === "worse" && now.cause) causes.set(now.cause, [...(causes.get(now.cause) || []), name]);
  return {
    writer, reader, view, judged: all, measured, of, causes, worse: of("worse"), noWorse: of("better", "other", "same"),
    exact: measured.filter(({ exact }) => exact).map(({ name }) => name),
    asBefore: measured.filter(({ exact, against }) => !exact && against !== "worse").map(({ name }) => name),
  };
}

// What becomes of each group of components, the worst to lose first.
function fatesOf(crossing) {
  return rules.groups.map((group, number) => {
    const own = (names) => names.filter((name) => rules.groupOf[name] === number);
    const bases = (names) => [...new Set(own(names).map(baseOf))];
    const has = crossing.measured.filter(({ components }) => own(components).length);
    const lost = new Map();
    for (const one of has) for (const name of bases(one.newlyLost)) lost.set(name, [...(lost.get(name) || []), one.name]);
    const unsaved = [...new Set(crossing.measured.flatMap((one) => bases(one.unsaved)))];
    return { group, lost, unsaved, of: has.length, back: has.filter((one) => own(one.components).every((name) => one.restored.includes(name))).length };
  }).filter(({ of, unsaved }) => of || unsaved.length);
}

// What could be done instead, as it was measured; all at once last.
function choicesOf(writer, reader, scenarios) {
  const asked = cross(writer, reader, 0, scenarios).measured.map(({ name }) => name);
  const choice = (title, to, view, copy, kept = []) => {
    const chosen = cross(writer, to, view, scenarios);
    const leaves = asked.filter((name) => !chosen.noWorse.includes(name));
    return { title, copy: copy || rules.install[to.index], kept, view, chosen, leaves, helps: !leaves.length, everything: cross(writer, to, view, allScenarios) };
  };
  const allAtOnce = choice(rules.allAtOnce, reader, 0);
  const stackOf = ({ stack }) => raw.stacks.indexOf(stack);
  const keeping = rules.keepings[stackOf(writer)][stackOf(reader)][writer.release === reader.release ? 0 : 1].map(([stack, release, kept]) => {
    const to = environmentById.get(`accelerate-${(release ? writer : reader).release}+${raw.stacks[stack]}`);
    const parts = kept.map((one) => (one === "accelerate" ? `accelerate ${writer.release}` : one));
    return to?.ready && to !== writer && to !== reader ? choice(`Keep ${listed(parts)} for now`, to, 0, "", kept) : null;
  }).filter((one) => one && one.leaves.length < allAtOnce.leaves.length);
  const isLess = (one, other) => one.kept.length < other.kept.length && one.kept.every((kept) => other.kept.includes(kept)) && one.leaves.length <= other.leaves.length;
  const least = keeping.filter((one) => !keeping.some((other) => isLess(other, one)));
  const compare = (...keys) => (a, b) => { for (const key of keys) if (key(a) !== key(b)) return key(a) - key(b); return 0; };
  const left = ({ leaves }) => leaves.length, notWhole = ({ chosen }) => chosen.measured.length - chosen.exact.length;
  const otherLoader = ({ view }) => Number(raw.views[view].loader !== raw.views[0].loader);
  const remedies = raw.views.map((_, view) => view).slice(1).map((view) => choice(rules.ways[view][0], reader, view, rules.ways[view][1]))
    .filter((one) => compare(left, notWhole)(one, allAtOnce) < 0);
  return [...least.sort(compare(left, ({ kept }) => kept.length)), ...remedies.sort(compare(left, notWhole, otherLoader)), allAtOnce];
}

function judgeUpgrade(writer, reader, scenarios, named) {
  const forward = cross(writer, reader, 0, scenarios);
  const choices = forward.measured.length ? choicesOf(writer, reader, scenarios) : [];
  const left = choices.length ? choices[choices.length - 1].leaves : [];
  const first = left.length ? choices.find(({ helps }) => helps) || null : null;
  const headline = !forward.measured.length ? "not-measured" : left.length ? (first ? "go-if" : "dont") : named && forward.measured.length < scenarios.length ? "not-measured" : "go";
  const lost = left.map((name) => raw.scenarios.indexOf(name));
  return { forward, choices, first, headline, named, scenarios, back: cross(reader, writer, 0, scenarios), detour: left.length && !first ? bestDetour(writer, reader, lost) : null };
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
    const measured = scenarios.map((scenario) => outcomeOf(0, scenario, a, b)).filter(measuredOf);
    return measured.length > 0 && measured.every((outcome) => outcome.status === raw.exact);
  };
  const seen = new Set([writer.index]);
  let front = [[writer.index]];
  for (let length = 0; length <= raw.stops; length += 1) {
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
      return { stops, scenarios: scenarios.map((scenario) => raw.scenarios[scenario]) };
    }
    for (const way of grown) seen.add(way[way.length - 1]);
    front = [...new Map(grown.map((way) => [way[way.length - 1], way])).values()];
  }
  return null;
}
