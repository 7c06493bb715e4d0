import { RequestError } from '../errors.js';

/**
 * Refuses bodies that are not plain UTF-8 JSON.
 * @throws {@link RequestError} `ERR_MEDIA_TYPE`.
 */
export function checkMediaType(contentType: string | undefined, contentEncoding: string | undefined): void {
  if (contentEncoding !== undefined && contentEncoding.trim().toLowerCase() !== 'identity') {
    throw new RequestError(
      'ERR_MEDIA_TYPE',
      `content-encoding is ${contentEncoding}, expected none; send the body as it is`,
    );
  }
  if (contentType === undefined) {
    throw new RequestError('ERR_MEDIA_TYPE', 'content-type is missing, expected application/json; add the header');
  }
  const [type = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  if (type !== 'application/json') {
    throw new RequestError('ERR_MEDIA_TYPE', `content-type is ${type}, expected application/json; send JSON`);
  }
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))?.slice('charset='.length);
  if (charset !== undefined && !['utf-8', 'utf8', '"utf-8"', '"utf8"'].includes(charset)) {
    throw new RequestError('ERR_MEDIA_TYPE', `charset is ${charset}, expected utf-8; encode the body as UTF-8`);
  }
}
