"""The part that Python plays beside Rust: a region of dogpile.cache, which does what it is told, line by line."""

import sys
import threading


def say(text):
    print(text, flush=True)


def attempt(call):
    """What comes of it, or the name of what it raises."""
    try:
        return call()
    except Exception as error:
        return type(error).__name__


class Part:
    """Obeys in the name of ``region``; what it does not know itself is in ``words``, functions by their names. What has
    nothing to say is ``done``."""

    def __init__(self, region, **words):
        self.region = region
        self.words = {
            "set": lambda key, value: region.set(key, int(value)),
            "set_multi": self.set_multi,
            "get": self.get,
            "delete": region.delete,
            "locked": lambda key: str(region.key_is_locked(key)).lower(),
            **words,
        }
        self.go = threading.Event()

    def set_multi(self, *words):
        self.region.set_multi({key: int(value) for key, value in zip(words[::2], words[1::2])})

    def get(self, *keys):
        found = self.region.get_multi(keys)
        return " ".join(str(value) if value else "none" for value in found)

    def call(self, threads, key, value):
        """Each thread wants the key. Says how many values they created, and what they got."""
        created, got = [], []

        def create():
            created.append(value)
            return value

        def one():
            got.append(attempt(lambda: self.region.get_or_create(key, create)))

        calls = [threading.Thread(target=one) for _ in range(threads)]
        for thread in calls:
            thread.start()
        for thread in calls:
            thread.join()
        say(f"created {len(created)} got [{', '.join(sorted(set(map(str, got))))}]")

    def hold(self, key, value):
        """Creates until it is told to go on."""

        def create():
            say(f"creating {key}")
            self.go.wait()
            return value

        say(f"got {attempt(lambda: self.region.get_or_create(key, create))}")

    def do(self, word, *rest):
        if word == "call":
            threading.Thread(target=self.call, args=(int(rest[0]), rest[1], int(rest[2]))).start()
        elif word == "hold":
            self.go.clear()
            threading.Thread(target=self.hold, args=(rest[0], int(rest[1]))).start()
        elif word == "go":
            self.go.set()
        elif word in self.words:
            said = attempt(lambda: self.words[word](*rest))
            say("done" if said is None else said)
        else:
            say(f"no such word: {word}")

    def obey(self):
        say("ready")
        for line in sys.stdin:
            self.do(*line.split())
