"""Make graphrag/data/multilingual-e5-small/mean.npy: the mean vector of texts about all and nothing.

    pip install 'graphrag-drift[multilingual]' && python scripts/build_multilingual_mean.py

What texts in many languages, of many kinds, about unlike things have in common says nothing about any of
them. The mean of the texts of an index would say what the index is about, and take it away.
"""

from pathlib import Path

import numpy as np

from graphrag.models import multilingual
from graphrag.models.multilingual import MultilingualEmbedder

TEXTS = (
    *("The weather was fine on Tuesday.", "A company sells its products in many countries."),
    *("Who wrote it, and when?", "She was born in a small town.", "Mix the flour with water and salt."),
    *("The river flows into the sea.", "He scored two goals in the final.", "The experiment failed twice."),
    *("The bank lowered its interest rate.", "화요일에는 날씨가 좋았다.", "그 회사는 여러 나라에서 물건을 판다."),
    *("누가 언제 썼는가?", "강은 바다로 흘러든다.", "그녀는 작은 마을에서 태어났다.", "火曜日は天気が良かった。"),
    *("这家公司在许多国家销售产品。", "Das Wetter war am Dienstag schön.", "Elle est née dans un petit village."),
    *("El río desemboca en el mar.", "Кто это написал и когда?", "كان الطقس جميلا يوم الثلاثاء."),
    *("नदी समुद्र में मिलती है।", "อากาศดีในวันอังคาร", "Il Parlamento approvò la legge."),
    *("Paris", "Samsung", "Maria Silva", "서울", "東京", "the law", "1998", "Москва"),
)


def mean() -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    return MultilingualEmbedder().raw(TEXTS).mean(axis=0).astype(np.float32)


if __name__ == "__main__":
    np.save(Path(multilingual.__file__).parents[1] / multilingual.MEAN, mean())
