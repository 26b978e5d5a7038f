// Lines and bars over time, as SVG. Each says in words what it shows.

const SVG = 'http://www.w3.org/2000/svg';

export function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const WIDTH = 480;
const HEIGHT = 96;
const TOP = 8;
const BOTTOM = 18;

/** The next round number that is not less. */
export function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

const clock = (at) => new Date(at).toISOString().slice(11, 16);

/** `points`: [milliseconds, value or null]. Where a value is not known the line is broken. */
export function line(points, { title, format, kind, span = 600_000 }) {
  const now = points.length ? points[points.length - 1][0] : Date.now();
  const first = points.length ? points[0][0] : now;
  const from = Math.min(first, now - span);
  const known = points.filter(([, value]) => value !== null);
  const most = ceiling(Math.max(0, ...known.map(([, value]) => value)));
  const x = (at) => ((at - from) / (now - from)) * WIDTH;
  const y = (value) => TOP + (1 - value / most) * (HEIGHT - TOP - BOTTOM);
  const runs = [];
  let run = null;
  let last = null;
  for (const [at, value] of points) {
    // A pause is no line either: nobody looked.
    if (value === null || (last !== null && at - last > 60_000)) run = null;
    if (value !== null) {
      if (!run) { run = []; runs.push(run); }
      run.push(`${x(at).toFixed(1)},${y(value).toFixed(1)}`);
      last = at;
    }
  }
  const base = y(0);
  const latest = known.length ? format(known[known.length - 1][1]) : 'not known';
  const node = svg('svg', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: `plot ${kind}`, role: 'img', preserveAspectRatio: 'none',
    'aria-label': `${title} from ${clock(from)} to ${clock(now)} UTC: now ${latest}, at most ${known.length ? format(Math.max(...known.map(([, value]) => value))) : 'not known'}`,
  });
  node.append(
    svg('line', { x1: 0, x2: WIDTH, y1: base, y2: base, class: 'axis' }),
    svg('line', { x1: 0, x2: WIDTH, y1: y(most), y2: y(most), class: 'grid' }),
    svg('line', { x1: 0, x2: WIDTH, y1: y(most / 2), y2: y(most / 2), class: 'grid' }),
  );
  for (const shape of runs) {
    const [left] = shape[0].split(',');
    const [right] = shape[shape.length - 1].split(',');
    if (shape.length > 1) node.append(svg('polygon', { points: `${left},${base} ${shape.join(' ')} ${right},${base}`, class: 'under' }));
    node.append(shape.length > 1
      ? svg('polyline', { points: shape.join(' '), class: 'line' })
      : svg('circle', { cx: left, cy: shape[0].split(',')[1], r: 2, class: 'dot' }));
  }
  return { node, top: format(most), from: clock(from), to: clock(now), latest };
}
