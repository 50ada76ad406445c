// What a person types, and the environment that stands for it: as results/verdict/versions.py, asked.py and
// resolving.py have it, held equal by a test. What lies between two versions is worked out in gaps.py.
const known = raw.question;
const typedPattern = new RegExp(known.typed, "i");
const PARTS = 5;

function versionKey(typed) {
  const found = typedPattern.exec(typed.trim());
  if (!found) return null;
  const numbers = found[1].split(".").map(Number), suffix = found[2].toLowerCase();
  return [...numbers, ...Array(PARTS - numbers.length).fill(0), !suffix ? 0 : suffix.includes("post") ? 1 : -1];
}
const knownKey = (version) => versionKey(version) || [...Array(PARTS).fill(0), -1];
const compared = (a, b) => { for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return a[i] - b[i]; return 0; };
const orList = (parts) => `${parts.slice(0, -1).join(", ")} or ${parts[parts.length - 1]}`;
const placed = (version, said = "", instead = [], measured = false) => ({ version, said, instead, measured });

// Where a typed version stands among the measured ones of a package.
function whereStands(name, typed) {
  const { versions, gaps, before } = known.scales[name];
  const wanted = versionKey(typed);
  if (!wanted) return placed("", `'${typed.trim()}' is no version`);
  const keys = versions.map(knownKey);
  const same = keys.findIndex((key) => compared(key, wanted) === 0);
  if (same >= 0) return placed(versions[same], "", [], true);
  const found = typedPattern.exec(typed.trim());
  const begun = found[2] ? [] : versions.filter((version) => `${version}.`.startsWith(`${found[1]}.`));
  if (begun.length > 1) return placed("", `can be ${orList(begun)}`, begun);
  if (begun.length) return placed(begun[0], `measured with ${begun[0]}`, [], true);
  const beyond = (how, which, end) => (end ? placed("", `not measured: ${how} than ${end}, the ${which} measured`, [end]) : placed("", "not measured: this run has none"));
  const position = keys.filter((key) => compared(key, wanted) < 0).length;
  if (position === 0) {
    const oldest = versions[0];
    if (!oldest || before === null || before.some((one) => compared(knownKey(one), wanted) > 0)) return beyond("older", "oldest", oldest);
    return placed(oldest, `not measured; nearest ${oldest}, no border is known between them`);
  }
  if (position === keys.length) return beyond("newer", "newest", versions[position - 1]);
  const [older, newer] = [versions[position - 1], versions[position]];
  const [how, borders] = gaps[position - 1];
  if (!how) {
    const far = (version) => knownKey(version).slice(0, PARTS).map((number, i) => Math.abs(number - wanted[i]));
    const [near, other] = compared(far(older), far(newer)) <= 0 ? [older, newer] : [newer, older];
    return placed(near, `not measured; nearest ${near}, which behaves as ${other} does`);
  }
  const sameSide = (version, border) => placed(version, `not measured; nearest ${version}, the same side of the border at ${border}`);
  if (borders.length && compared(wanted, knownKey(borders[0])) < 0) return sameSide(older, borders[0]);
  if (borders.length && compared(wanted, knownKey(borders[borders.length - 1])) >= 0) return sameSide(newer, borders[borders.length - 1]);
  return placed("", `not measured: between ${older} and ${newer}, which ${how}`, [older, newer]);
}

// Versions of accelerate, torch and numpy in what `pip freeze` prints, in a line of pins or in a lock file.
function pinsOf(text_) {
  const found = {};
  for (const name of known.packages) {
    for (const pattern of known.pins) {
      const match = new RegExp(pattern.replaceAll("NAME", name), "mi").exec(text_);
      if (match) { try { found[name] = decodeURIComponent(match[1]); } catch { found[name] = match[1]; } break; }
    }
  }
  return found;
}
const lineOf = (pins) => known.packages.filter((name) => pins[name]).map((name) => `${name}==${pins[name]}`).join(" ");
const pinsFrom = (said) => (versionKey(said) ? { accelerate: said.trim() } : pinsOf(said));

const isFree = ({ pins }) => !pins.torch && !pins.numpy;
const stackPackages = known.packages.slice(1);
const pinnedBy = (environment) => Object.fromEntries([["accelerate", environment.release], ...stackPackages.map((name) => [name, known.stacks[raw.stacks.indexOf(environment.stack)][name]])]);
const at = (release, stack) => environmentById.get(`accelerate-${release}+${raw.stacks[stack]}`);
const isReady = (release, stack) => !!at(release, stack)?.ready;
// Of several stacks the first on which the release resumes its own checkpoints best.
const bestOn = (release, stacks) => stacks.reduce((best, stack) => (best === undefined || known.quality[at(release, stack).index] > known.quality[at(release, best).index] ? stack : best), undefined);

function stacksOf({ places }) {
  return known.newest.filter((stack) => stackPackages.every((name) => !places[name] || known.stacks[stack][name] === places[name].version));
}

// One side of the question: an environment of the run by its id, or pins.
function sideOf(said) {
  const environment = environmentById.get(said);
  if (environment) return { pins: pinnedBy(environment), places: {}, environment: environment.ready ? environment : null, why: environment.ready ? [] : notRun(environment.release, raw.stacks.indexOf(environment.stack)), fixed: true };
  if (/^accelerate-[^=]*\+[^=]*$/.test(said)) return { pins: {}, places: {}, environment: null, why: [`this run has no ${said}`], fixed: true };
  const pins = pinsFrom(said);
  const places = Object.fromEntries(known.packages.filter((name) => pins[name]).map((name) => [name, whereStands(name, pins[name])]));
  const why = pins.accelerate ? [] : ["which accelerate is not said"];
  const lacking = Object.keys(places).filter((name) => !places[name].version);
  why.push(...lacking.map((name) => `${name} ${pins[name]}: ${places[name].said}`));
  const side = { pins, places, environment: null, why, lacking: lacking.map((name) => `${name} ${pins[name]}`) };
  if (!why.length && !stacksOf(side).length) {
    const held = [...new Set(known.stacks.filter((stack) => stack.torch).map((stack) => stackPackages.map((name) => `${name} ${stack[name]}`).join(", ")))];
    why.push(`${stackPackages.map((name) => `${name} ${places[name].version}`).join(" and ")} were not measured together; measured are ${held.join("; ")}`);
  }
  return side;
}

function notRun(release, stack) {
  const reason = (at(release, stack)?.reason || "this run does not have it there").replace(/\.+$/, "");
  return [`accelerate ${release} was not run on ${raw.stacks[stack]}: ${reason}`];
}

function putOn(side, stacks) {
  const release = side.places.accelerate.version;
  const ready = stacks.filter((stack) => isReady(release, stack));
  if (ready.length) side.environment = at(release, bestOn(release, ready));
  else side.why = notRun(release, stacks[0]);
}

// Both sides, each with its environment or with the reason why none stands for it.
function questionOf(from, to) {
  const [old, next] = [sideOf(from), sideOf(to)];
  const stackOf = ({ environment }) => (environment ? [raw.stacks.indexOf(environment.stack)] : known.newest);
  const sides = [old, next];
  if (sides.every(({ why, fixed }) => fixed || !why.length)) {
    const open = sides.filter(({ fixed }) => !fixed);
    const free = open.filter(isFree);
    if (free.length === 2) {
      const [before, after] = sides.map(({ places }) => places.accelerate.version);
      const both = known.newest.filter((stack) => isReady(before, stack) && isReady(after, stack));
      const stack = both.length ? bestOn(before, both) : known.newest.find((one) => isReady(before, one)) ?? known.newest[0];
      for (const side of sides) putOn(side, [stack]);
    } else {
      for (const side of open.filter((one) => !isFree(one))) putOn(side, stacksOf(side));
      for (const side of free) putOn(side, stackOf(sides.find((one) => one !== side)));
    }
  }
  const notes = sides.flatMap(({ pins, places }) => Object.entries(places).filter(([, { said }]) => said).map(([name, { said }]) => `${name} ${pins[name]}: ${said}`));
  return {
    old, next, notes: [...new Set(notes)], why: [...new Set(sides.flatMap(({ why }) => why))],
    approximate: sides.some(({ places }) => Object.values(places).some(({ measured }) => !measured)),
    lacking: [...new Set(sides.flatMap(({ lacking }) => lacking || []))],
    measurable: sides.every(({ pins }) => pins.accelerate),
    measure: `ckptmatrix check --from "${lineOf(old.pins)}" --to "${lineOf(next.pins)}"`,
  };
}
