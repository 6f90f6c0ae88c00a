"""Pictures, sound, film and letters: programs that seek in what they read and go back in what they write."""

from __future__ import annotations

from typing import Final

from tests.applications.application import Application

DOCUMENTS: Final = (
    Application(
        name="ImageMagick",
        program="convert",
        package="imagemagick",
        command="""\
convert -size {side}x{side} plasma: picture.png
convert picture.png -quality 95 picture.jpg
mogrify -resize 50% -rotate 90 picture.jpg""",
        sizes={"side": (400, 3000)},
        holds="both pictures are whole, and the one that was changed in place has half the sides",
        check="""\
identify -regard-warnings -format '%w ' picture.png picture.jpg > ~/said
test "$(cat ~/said)" = "{side} $(({side} / 2)) \"""",
    ),
    Application(
        name="sox",
        program="sox",
        package="sox",
        command="""\
sox -n -r 44100 -c 2 tone.wav synth {seconds} sine 440
sox tone.wav middle.wav trim $(({seconds} - 1)) 0.5""",
        sizes={"seconds": (5, 300)},
        holds="the length of the whole, and of the part that was sought out in it, is as asked",
        check="""\
test "$(soxi -s tone.wav)" = $((44100 * {seconds}))
test "$(soxi -s middle.wav)" = 22050""",
    ),
    Application(
        name="ffmpeg",
        program="ffmpeg",
        package="ffmpeg",
        is_large=True,
        command="""\
ffmpeg -v error -f lavfi -i testsrc=duration={seconds}:size=640x480:rate=25 -movflags +faststart film.mp4
ffmpeg -v error -ss $(({seconds} - 2)) -i film.mp4 -frames:v 1 late.png
ffmpeg -v error -ss 1 -t 1 -i film.mp4 -c copy part.mkv""",
        sizes={"seconds": (4, 30)},
        holds="the film is whole, and a frame near its end was found",
        check="""\
ffmpeg -v error -i film.mp4 -f null - 2>&1 | cmp - /dev/null
ffprobe -v error -show_entries stream=width,height -of csv=p=0 late.png | grep -qx 640,480""",
    ),
    Application(
        name="LibreOffice, converting and saving",
        program="soffice",
        package="libreoffice-writer-nogui",
        is_large=True,
        prepare="printf 'Dear Ann,\\nthank you.\\n' > letter.txt",
        command="""\
soffice --headless --convert-to odt ~/letter.txt
soffice --headless --convert-to odt --outdir . letter.odt
soffice --headless --convert-to pdf letter.odt""",
        holds="the document, which was saved over itself, has its text, and the PDF is one; no lock file is left",
        check="""\
unzip -p letter.odt content.xml | grep -q 'thank you.'
head -c 5 letter.pdf | grep -q %PDF-
test "$(ls -A | tr '\\n' ,)" = letter.odt,letter.pdf,""",
    ),
)
