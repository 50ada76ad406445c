// Sums over scenarios, a whole row of the grid at a time and each only once: filters are to feel instant.
const statusOfOutcome = Int8Array.from(outcomes, (outcome) => outcome.status);
const measuredOutcome = Uint8Array.from(outcomes, (outcome) => (isMeasured(outcome.status) ? 1 : 0));
const surprising = Uint8Array.from(outcomes, (outcome) => (outcome.expected === false ? 1 : 0));
const changedOutcome = Uint8Array.from(outcomes, (outcome) => (outcome.change ? 1 : 0));
const turned = Uint8Array.from(outcomes, (_, number) => surprising[number] | changedOutcome[number]);

const rowSums = new Map();
// For one writer and every reader: worst status, counts, and what marks a cell.
function sumsOf(view, scenarios, writer) {
  const key = `${view} ${scenarios === allScenarios ? "all" : scenarios.join()} ${writer}`;
  if (rowSums.has(key)) return rowSums.get(key);
  const width = environments.length;
  const sums = {
    worst: new Int8Array(width).fill(raw.statuses.length), exact: new Int16Array(width), measured: new Int16Array(width),
    missing: new Int16Array(width), total: new Int16Array(width), surprise: new Uint8Array(width), changed: new Uint8Array(width), remedy: null,
  };
  for (const scenario of scenarios) {
    const row = unpacked[raw.grid[view][scenario][writer]];
    for (let reader = 0; reader < width; reader += 1) {
      const outcome = row[reader];
      if (outcome < 0) continue;
      const status = statusOfOutcome[outcome];
      sums.total[reader] += 1;
      if (status < sums.worst[reader]) sums.worst[reader] = status;
      sums.measured[reader] += measuredOutcome[outcome];
      if (status === NOT_RUN) sums.missing[reader] += 1;
      if (status === raw.exact) sums.exact[reader] += 1;
      sums.surprise[reader] |= surprising[outcome];
      sums.changed[reader] |= changedOutcome[outcome];
    }
  }
  for (let reader = 0; reader < width; reader += 1) if (!sums.total[reader]) sums.worst[reader] = NOT_RUN;
  if (view === 0) sums.remedy = remediedBy(scenarios, writer, sums);
  rowSums.set(key, sums);
  return sums;
}

// Readers for which another way to load makes everything exact that is not so today.
function remediedBy(scenarios, writer, sums) {
  const found = new Uint8Array(environments.length);
  for (let view = 1; view < raw.views.length; view += 1) {
    const whole = Uint8Array.from(found, (_, reader) => (sums.exact[reader] < sums.measured[reader] ? 1 : 0));
    for (const scenario of scenarios) {
      const today = unpacked[raw.grid[0][scenario][writer]], other = unpacked[raw.grid[view][scenario][writer]];
      for (let reader = 0; reader < whole.length; reader += 1) {
        const outcome = today[reader];
        if (outcome < 0 || !measuredOutcome[outcome] || statusOfOutcome[outcome] === raw.exact) continue;
        if (other[reader] < 0 || statusOfOutcome[other[reader]] !== raw.exact) whole[reader] = 0;
      }
    }
    for (let reader = 0; reader < whole.length; reader += 1) found[reader] |= whole[reader];
  }
  return found;
}

// Whether any of the scenarios has the cause in this cell.
const hasCause = (view, scenarios, writer, reader, cause) => scenarios.some((scenario) => outcomeOf(view, scenario, writer, reader)?.cause === cause);

// While nothing else is to do: what the next choice will ask for.
function sumAhead() {
  const writers = new Set([...raw.folds.writer.map(({ members }) => members[0]), ...environments.keys()]);
  const asked = [...writers].flatMap((writer) => raw.views.map((_, view) => [view, writer]));
  const go = (deadline) => {
    while (asked.length && deadline.timeRemaining() > 2) {
      const [view, writer] = asked.shift();
      sumsOf(view, allScenarios, writer);
    }
    if (asked.length) requestIdleCallback(go);
  };
  window.requestIdleCallback?.(go);
}
