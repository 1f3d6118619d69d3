"""A question as tokens: what is read, what is to be said, and at which positions its words end."""

import text


class Asked:
    """Question q, with its options or none, whose first token stands at `at`; every position is counted like `at`."""

    def __init__(self, ids, q, options, at):
        self.ids, self.q, self.options, self.at = ids, q, options, at
        answer = text.LETTERS[options.index(q.answer)] if options else q.answer
        self.read = ids(text.tail(q.text, options))
        self.said = ids(" " + answer) + [text.EOS]

    @property
    def tokens(self):
        return self.read + self.said

    @property
    def kind(self):
        return self.q.kind + ("-letter" if self.options else "")

    @property
    def end(self):
        """of the prompt: where the answer must be known"""
        return self.at + len(self.read) - 1

    @property
    def nouns(self):
        """the last token of each word that names things, in the order of q.names"""
        return [self.after(self.q.text[: self.q.text.index(" " + word) + 1 + len(word)]) - 1 for word, _ in self.q.names]

    def behind(self, word):
        """the last token of a word that the question ends with or has once"""
        return self.after(self.q.text[: self.q.text.index(word) + len(word)]) - 1

    def after(self, question, options=()):
        return self.at + len(self.ids(text.stem(question, options)))

    def letter(self, k):
        """the first token of option k"""
        return self.after(self.q.text, self.options[:k])

    def option(self, k):
        """the last token of option k"""
        return self.after(self.q.text, self.options[: k + 1]) - 1

    def query(self, whole):
        """the span of which ReDiPrune makes the query vector: the prompt's tail, or the question alone"""
        return self.at, self.end + 1 if whole else self.after(self.q.text)
