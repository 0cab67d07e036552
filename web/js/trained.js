// Who decides at the moment, and since when: a version of this server's classifier, or an endpoint on SageMaker.
import {get} from './api.js';

export const inUse = about => about.classifier === null ? null : get(`/api/v1/classifiers/${about.classifier}`).catch(() => null);

// What of a member is not learnt yet: 'member', 'pictures' that were added later, or '' for nothing.
export const untrained = (m, since) => m.created > since ? 'member' : m.added > since ? 'pictures' : '';

export async function trained(about, active) {
  if (about.endpoint) {
    const {jobs} = await get('/api/v1/jobs').catch(() => ({jobs: []}));
    const job = jobs.find(j => j.kind === 'sagemaker' && j.state === 'done' && j.result.endpoint === about.endpoint);
    if (!job && about.train_on === 'sagemaker') return null;
    return {name: `Endpoint ${about.endpoint}`, created: job ? job.started : undefined}; // else others train it
  }
  return active ? {name: `Version ${active.version}`, created: active.created} : null;
}
