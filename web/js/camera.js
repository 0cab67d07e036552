// The camera, and looking through it: the server says a few times a second what it sees in the picture, without
// asking who it is, so that a page can tell what to do better before anything is recorded or decided.
import {post} from './api.js';
import {s} from './dom.js';

const LOOK_SIDE = 640, LOOK_EVERY_MS = 280;

export async function openCamera(video) {
  if (!navigator.mediaDevices) throw new Error('This browser gives the camera only over HTTPS, or on localhost.');
  let stream = null;
  const close = () => { for (const track of stream.getTracks()) track.stop(); video.srcObject = null; };
  try {
    stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'user', width: {ideal: 1280}, height: {ideal: 720}}, audio: false});
    video.srcObject = stream;
    await video.play();
    return close;
  } catch (reason) {
    if (stream) close();
    throw new Error({
      NotAllowedError: 'The camera was not allowed. Allow it in the address bar and try again.',
      NotFoundError: 'No camera was found.',
      NotReadableError: 'The camera is in use by another program. Close that, and try again.',
    }[reason.name] || `The camera cannot be used: ${reason.message}`);
  }
}

const canvas = document.createElement('canvas');

// What the video shows now, as a JPEG whose longer side is at most `side`; null before the first picture.
export function grab(video, side = 0) {
  const {videoWidth, videoHeight} = video;
  if (!videoWidth) return null;
  const scale = side ? Math.min(1, side / Math.max(videoWidth, videoHeight)) : 1;
  canvas.width = Math.round(videoWidth * scale);
  canvas.height = Math.round(videoHeight * scale);
  canvas.getContext('2d', {alpha: false}).drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise(resolve => canvas.toBlob(resolve, 'image/jpeg', .88));
}

// Calls onLook with what the server sees, one picture after the other; null where it does not answer. Returns
// what ends it.
export function lookThrough(video, onLook) {
  let going = true;
  (async () => {
    while (going) {
      const began = performance.now();
      const picture = document.hidden ? null : await grab(video, LOOK_SIDE);
      if (picture && going) {
        let seen = null;
        try { seen = await post('/api/v1/look', picture); } catch (problem) {
          if (problem.status === 401 || problem.status === 403) going = false;
          else await new Promise(resolve => setTimeout(resolve, 1000 * (problem.retryAfter || 1)));
        }
        if (going || !seen) await onLook(seen);
      }
      await new Promise(resolve => setTimeout(resolve, Math.max(30, LOOK_EVERY_MS - (performance.now() - began))));
    }
  })();
  return () => { going = false; };
}

const said = {
  no_face: 'Show your face', several_faces: 'One person at a time', face_too_small: 'Come closer', blurred: 'Hold still', too_dark: 'More light on the face, please',
  too_bright: 'Step out of the strong light', pose: 'Look at the camera', unclear: 'Nothing over the face, please',
};

// The same about a reason of a verdict, '' for one that has nothing to do with the picture.
export const advice = word => said[word] || '';

// One short line about what to do better, '' where all is well.
export function hint(seen, {centred = false, mayTurn = false} = {}) {
  if (!seen) return '';
  if (!seen.face) return said.no_face;
  const [x, y, w, height] = seen.face.box;
  if (seen.reason === 'several_faces') return said.several_faces;
  if (w / seen.width < .12 || seen.reason === 'face_too_small') return said.face_too_small;
  if (centred && height / seen.height > .86) return 'A little further away';
  if (centred && Math.hypot((x + w / 2) / seen.width - .5, (y + height / 2) / seen.height - .5) > .24) return 'Move to the middle';
  if (seen.reason === 'pose' && mayTurn) return 'Not quite so far';
  return seen.reason ? said[seen.reason] || seen.text : '';
}

const colors = {granted: '#5fe39a', denied: '#ff8379', unknown: '#ffc857', retry: '#8ec1ff', seen: '#ffffff'};

// Box and points over a picture that is shown as large as fits: the same rule as object-fit: contain.
export function overlay({width, height, face, kind}) {
  const svg = s('svg', {viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'xMidYMid meet', 'aria-hidden': 'true', class: 'overlay'});
  if (!face) return svg;
  const [x, y, w, tall] = face.box, color = colors[kind] || colors.seen;
  const box = {x, y, width: w, height: tall, rx: w / 12};
  svg.append(s('rect', {...box, class: 'halo'}), s('rect', {...box, class: 'face-box', stroke: color}));
  for (const [px, py] of face.points) svg.append(s('circle', {cx: px, cy: py, r: Math.max(2, w / 45), fill: color}));
  return svg;
}
