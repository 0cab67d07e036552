// The server's stable words, in plain ones.

export const reasons = {
  no_face: 'no face', several_faces: 'several faces', face_too_small: 'too small', blurred: 'blurred', pose: 'turned away',
  too_dark: 'too dark', too_bright: 'too bright', unclear: 'not clear enough', below_probability: 'not sure enough', not_a_member: 'not a member',
  ambiguous: 'looks like two members', right_missing: 'right missing', liveness_failed: 'not a live face',
};
export const reason = word => reasons[word] || word.replaceAll('_', ' ');

export const decisions = {
  granted: {title: 'Access granted', icon: 'check', tag: 'good'},
  denied: {title: 'Access denied', icon: 'cross', tag: 'bad'},
  unknown: {title: 'Not recognised', icon: 'unknown', tag: 'unsure'},
  retry: {title: 'Try again', icon: 'retry', tag: 'info'},
};

export const actions = {
  verify: 'Photo tested', enroll: 'Member enrolled', train: 'Trained', deploy: 'Deployed', activate: 'Version activated', member_set: 'Member changed',
  member_remove: 'Member removed', key_create: 'Key made', key_revoke: 'Key revoked', sign_in: 'Signed in', settings: 'Setting changed',
  reset: 'Reset', export: 'Dataset exported', import: 'Dataset imported', invoke: 'Rows decided',
};

export function percent(value, digits = 1) {
  return value === null || value === undefined ? 'unknown' : `${(100 * value).toFixed(digits)} %`;
}

// "1 in 2,000", for rates that are too small to feel as a percentage.
export function rate(value) {
  if (value === null || value === undefined) return 'not measured';
  if (value <= 0) return 'none seen';
  return value >= 0.1 ? percent(value) : `1 in ${Math.round(1 / value).toLocaleString('en')}`;
}

export function plural(count, one, many = `${one}s`) {
  return `${Number(count).toLocaleString('en')} ${count === 1 ? one : many}`;
}

export function when(text) {
  if (!text) return 'never';
  const seconds = (Date.now() - new Date(text)) / 1000;
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return date(text);
}

export function date(text) {
  return new Date(text).toLocaleDateString(undefined, {day: 'numeric', month: 'short', year: 'numeric'});
}

export function exactly(text) {
  return text ? new Date(text).toLocaleString(undefined, {dateStyle: 'medium', timeStyle: 'medium'}) : '';
}

export function bytes(size) {
  return size < 1e6 ? `${Math.max(1, Math.round(size / 1e3))} kB` : `${(size / 1e6).toFixed(size < 1e8 ? 1 : 0)} MB`;
}

export function day(text) {
  const then = new Date(text), today = new Date(), yesterday = new Date();
  yesterday.setDate(today.getDate() - 1);
  if (then.toDateString() === today.toDateString()) return 'Today';
  if (then.toDateString() === yesterday.toDateString()) return 'Yesterday';
  return then.toLocaleDateString(undefined, {weekday: 'long', day: 'numeric', month: 'long', year: 'numeric'});
}

export function seconds(value) {
  return value < 60 ? `${Math.round(value)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}
