/** An HTTP request whose answer is not complete, as whoever may end it sees it. */
export interface OngoingAnswer {
  /** Ids under which clients may ask for its end; the first is the answer's own. */
  readonly names: readonly string[];
  /**
   * Ends what has not ended. Harmless when called again.
   * @param reason - What its client is told.
   */
  abort(reason?: string): void;
}
